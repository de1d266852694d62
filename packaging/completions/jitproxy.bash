# bash completion for jitproxy
# Written by scripts/generate from the program's own --help.

_jitproxy_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_jitproxy() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at= word i
    COMPREPLY=()
    # bash takes --option=value for three words.
    if [ "$cur" = = ]; then cur=; elif [ "$prev" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --agent|--client-id|--client-secret-file|--config|--control|--emulator|--format|--head|--justification|--listen|--log-format|--log-level|--name|--notes|--on-behalf-of|--org-id|--parent|--protect|--reason|--session|--state|--status|--tenant|--type|--url|--user-token-file|-c) ((i++)); [ "${COMP_WORDS[i]}" != = ] || ((i++)); continue ;;
        esac
        if [ "$at" = run ]; then  # the rest is a command of its own
            case $word in
                --) ((i++)) ;;
                -*) continue ;;
            esac
            _jitproxy_other "$i"
            return
        fi
        case "${at:+$at }$word" in
            "serve"|"run"|"check"|"doctor"|"status"|"demo"|"session"|"session open"|"session list"|"session show"|"session close"|"env"|"request"|"request list"|"request show"|"request watch"|"request approve"|"request deny"|"ca"|"ca init"|"ca show"|"ca path"|"ca rotate"|"audit"|"audit verify") at="${at:+$at }$word" ;;
        esac
    done
    case "$at $prev" in
        "serve -c"|"serve --config"|"serve --client-secret-file"|"run -c"|"run --config"|"run --client-secret-file"|"run --user-token-file"|"check -c"|"check --config"|"check --client-secret-file"|"doctor -c"|"doctor --config"|"doctor --client-secret-file"|"status -c"|"status --config"|"demo --emulator"|"session open -c"|"session open --config"|"session open --user-token-file"|"session list -c"|"session list --config"|"session show -c"|"session show --config"|"session close -c"|"session close --config"|"env -c"|"env --config"|"request list -c"|"request list --config"|"request show -c"|"request show --config"|"request watch -c"|"request watch --config"|"request approve -c"|"request approve --config"|"request approve --user-token-file"|"request deny -c"|"request deny --config"|"request deny --user-token-file"|"ca init -c"|"ca init --config"|"ca init --client-secret-file"|"ca show -c"|"ca show --config"|"ca show --client-secret-file"|"ca path -c"|"ca path --config"|"ca path --client-secret-file"|"ca rotate -c"|"ca rotate --config"|"ca rotate --client-secret-file"|"audit verify -c"|"audit verify --config") _jitproxy_files -f "$cur"; return ;;
        "serve --protect"|"serve --listen"|"serve --url"|"serve --tenant"|"serve --org-id"|"serve --client-id"|"serve --control"|"run --protect"|"run --listen"|"run --url"|"run --tenant"|"run --org-id"|"run --client-id"|"run --control"|"run --name"|"run --type"|"run --agent"|"run --on-behalf-of"|"run --justification"|"check --protect"|"check --listen"|"check --url"|"check --tenant"|"check --org-id"|"check --client-id"|"check --control"|"doctor --protect"|"doctor --listen"|"doctor --url"|"doctor --tenant"|"doctor --org-id"|"doctor --client-id"|"doctor --control"|"status --control"|"session open --control"|"session open --name"|"session open --type"|"session open --agent"|"session open --on-behalf-of"|"session open --justification"|"session open --parent"|"session open --format"|"session list --control"|"session show --control"|"session close --control"|"env --control"|"env --session"|"request list --control"|"request list --status"|"request show --control"|"request watch --control"|"request approve --control"|"request approve --notes"|"request deny --control"|"request deny --reason"|"ca init --protect"|"ca init --listen"|"ca init --url"|"ca init --tenant"|"ca init --org-id"|"ca init --client-id"|"ca init --control"|"ca show --protect"|"ca show --listen"|"ca show --url"|"ca show --tenant"|"ca show --org-id"|"ca show --client-id"|"ca show --control"|"ca path --protect"|"ca path --listen"|"ca path --url"|"ca path --tenant"|"ca path --org-id"|"ca path --client-id"|"ca path --control"|"ca rotate --protect"|"ca rotate --listen"|"ca rotate --url"|"ca rotate --tenant"|"ca rotate --org-id"|"ca rotate --client-id"|"ca rotate --control"|"audit verify --head") :; return ;;
        "serve --state"|"run --state"|"check --state"|"doctor --state"|"ca init --state"|"ca show --state"|"ca path --state"|"ca rotate --state"|"audit verify --state") _jitproxy_files -d "$cur"; return ;;
        "serve --log-level"|"run --log-level"|"check --log-level"|"doctor --log-level"|"ca init --log-level"|"ca show --log-level"|"ca path --log-level"|"ca rotate --log-level") COMPREPLY=($(compgen -W 'debug info warning error off' -- "$cur")); return ;;
        "serve --log-format"|"run --log-format"|"check --log-format"|"doctor --log-format"|"ca init --log-format"|"ca show --log-format"|"ca path --log-format"|"ca rotate --log-format") COMPREPLY=($(compgen -W 'auto text json journald' -- "$cur")); return ;;
        "env --format") COMPREPLY=($(compgen -W 'sh fish dotenv json' -- "$cur")); return ;;
    esac
    if [ "$at" = run ] && [[ $cur != -* ]]; then _jitproxy_other "$COMP_CWORD"; return; fi
    case $at in
        "") COMPREPLY=($(compgen -W 'serve run check doctor status demo session env request ca audit -h --help --version' -- "$cur")) ;;
        "serve") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control' -- "$cur")) ;;
        "run") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control --name --type --agent --on-behalf-of --user-token-file --justification --own' -- "$cur")) ;;
        "check") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control' -- "$cur")) ;;
        "doctor") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control --json' -- "$cur")) ;;
        "status") COMPREPLY=($(compgen -W '-h --help --json -c --config --control' -- "$cur")) ;;
        "demo") COMPREPLY=($(compgen -W '-h --help -y --yes --keep --emulator' -- "$cur")) ;;
        "session") COMPREPLY=($(compgen -W 'open list show close -h --help' -- "$cur")) ;;
        "session open") COMPREPLY=($(compgen -W '-h --help -c --config --control --json --name --type --agent --on-behalf-of --user-token-file --justification --parent --export --format' -- "$cur")) ;;
        "session list") COMPREPLY=($(compgen -W '-h --help -c --config --control --json' -- "$cur")) ;;
        "session show") COMPREPLY=($(compgen -W '-h --help -c --config --control --json' -- "$cur")) ;;
        "session close") COMPREPLY=($(compgen -W '-h --help -c --config --control --json --wait --no-wait' -- "$cur")) ;;
        "env") COMPREPLY=($(compgen -W '-h --help -c --config --control --session --format' -- "$cur")) ;;
        "request") COMPREPLY=($(compgen -W 'list show watch approve deny -h --help' -- "$cur")) ;;
        "request list") COMPREPLY=($(compgen -W '-h --help -c --config --control --json --status' -- "$cur")) ;;
        "request show") COMPREPLY=($(compgen -W '-h --help -c --config --control --json' -- "$cur")) ;;
        "request watch") COMPREPLY=($(compgen -W '-h --help -c --config --control --json' -- "$cur")) ;;
        "request approve") COMPREPLY=($(compgen -W '-h --help -c --config --control --json --notes --user-token-file' -- "$cur")) ;;
        "request deny") COMPREPLY=($(compgen -W '-h --help -c --config --control --json --reason --user-token-file' -- "$cur")) ;;
        "ca") COMPREPLY=($(compgen -W 'init show path rotate -h --help' -- "$cur")) ;;
        "ca init") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control' -- "$cur")) ;;
        "ca show") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control' -- "$cur")) ;;
        "ca path") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control --bundle' -- "$cur")) ;;
        "ca rotate") COMPREPLY=($(compgen -W '-h --help -c --config --protect --listen --url --tenant --org-id --client-id --client-secret-file --state --log-level --log-format --control' -- "$cur")) ;;
        "audit") COMPREPLY=($(compgen -W 'verify -h --help' -- "$cur")) ;;
        "audit verify") COMPREPLY=($(compgen -W '-h --help -c --config --state --head --json' -- "$cur")) ;;
    esac
}

_jitproxy_other() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif [ "$1" -eq "$COMP_CWORD" ]; then
        COMPREPLY=($(compgen -c -- "${COMP_WORDS[COMP_CWORD]}"))
    else
        _jitproxy_files -f "${COMP_WORDS[COMP_CWORD]}"
    fi
}

complete -F _jitproxy jitproxy
