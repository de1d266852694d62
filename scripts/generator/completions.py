"""Completions of bash, zsh and fish for a tree of commands."""
NOTE = "# Written by scripts/generate from the program's own --help.\n"
RUN = ["run"]  # the rest of its line is another command's


def spaced(words):
    return " ".join(words)


def names_of(options):
    return [name for o in options for name in o.names]


def valued(tree):
    """Names of options that take a value; the same name must not be a flag elsewhere."""
    taking = {n for c in tree.walk() for o in c.options if o.value for n in o.names}
    flags = {n for c in tree.walk() for o in c.options if not o.value for n in o.names}
    assert not taking & flags, taking & flags
    return sorted(taking)


# ---- bash
def bash_value(o):
    if o.value in ("FILE", "DIR"):
        return f"_jitproxy_files {'-d' if o.value == 'DIR' else '-f'} \"$cur\""
    return f"COMPREPLY=($(compgen -W '{spaced(o.choices)}' -- \"$cur\"))" if o.choices else ":"


def bash_values(tree):
    """One case for each way to complete a value: options of the same name may differ from command to command."""
    cases = {}
    for c in tree.walk():
        for o in c.options:
            if o.value:
                for name in o.names:
                    cases.setdefault(bash_value(o), []).append(f'"{spaced(c.path)} {name}"')
    return "".join(f"        {'|'.join(where)}) {do}; return ;;\n" for do, where in cases.items())


def bash(tree):
    steps = "|".join(f'"{spaced(c.path)}"' for c in tree.walk() if c.path)
    offers = "".join(f'        "{spaced(c.path)}") COMPREPLY=($(compgen -W \''
                     f"{spaced([k.path[-1] for k in c.commands] + names_of(c.options))}' -- \"$cur\")) ;;\n"
                     for c in tree.walk())
    return f"""# bash completion for jitproxy
{NOTE}
_jitproxy_files() {{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}}

_jitproxy() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} at= word i
    COMPREPLY=()
    # bash takes --option=value for three words.
    if [ "$cur" = = ]; then cur=; elif [ "$prev" = = ]; then prev=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        case $word in
            {"|".join(valued(tree))}) ((i++)); [ "${{COMP_WORDS[i]}}" != = ] || ((i++)); continue ;;
        esac
        if [ "$at" = run ]; then  # the rest is a command of its own
            case $word in
                --) ((i++)) ;;
                -*) continue ;;
            esac
            _jitproxy_other "$i"
            return
        fi
        case "${{at:+$at }}$word" in
            {steps}) at="${{at:+$at }}$word" ;;
        esac
    done
    case "$at $prev" in
{bash_values(tree)}    esac
    if [ "$at" = run ] && [[ $cur != -* ]]; then _jitproxy_other "$COMP_CWORD"; return; fi
    case $at in
{offers}    esac
}}

_jitproxy_other() {{
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif [ "$1" -eq "$COMP_CWORD" ]; then
        COMPREPLY=($(compgen -c -- "${{COMP_WORDS[COMP_CWORD]}}"))
    else
        _jitproxy_files -f "${{COMP_WORDS[COMP_CWORD]}}"
    fi
}}

complete -F _jitproxy jitproxy
"""


# ---- zsh
def zsh_text(text):
    for ch in "\\[]:":
        text = text.replace(ch, "\\" + ch)
    return text.replace("'", "'\\''")


def zsh_option(o):
    action = {"FILE": "_files", "DIR": "_files -/"}.get(o.value, f"({spaced(o.choices)})" if o.choices else " ")
    value = f":{zsh_text(o.value)}:{action}" if o.value else ""
    repeat = "*" if o.repeatable else "" if len(o.names) == 1 else f"({spaced(o.names)})"
    return [f"'{repeat}{n}[{zsh_text(o.text)}]{value}'" for n in o.names]


def zsh_name(path):
    return "_".join(["_jitproxy", *path])


def zsh_function(c):
    specs = [spec for o in c.options for spec in zsh_option(o)]
    if c.path == RUN:
        specs += ["'(-)1:command: _command_names -e'", "'*::arguments: _normal'"]
    elif not c.commands:
        specs += [f"':{p}: '" for p in c.positionals]
    if not c.commands:
        return zsh_name(c.path) + "() {\n    _arguments -S \\\n        " + " \\\n        ".join(specs) + "\n}\n"
    specs += ["'1:command:->command'", "'*::argument:->argument'"]
    listed = "\n            ".join(f"'{k.path[-1]}:{zsh_text(k.text)}'" for k in c.commands)
    calls = "\n            ".join(f"{k.path[-1]}) {zsh_name(k.path)} ;;" for k in c.commands)
    return zsh_name(c.path) + "() {\n    local curcontext=\"$curcontext\" state line\n    local -a commands\n" \
        "    _arguments -C \\\n        " + " \\\n        ".join(specs) + f"""
    case $state in
        command)
            commands=(
            {listed})
            _describe command commands ;;
        argument)
            case $line[1] in
            {calls}
            esac ;;
    esac
}}
"""


def zsh(tree):
    return "#compdef jitproxy\n" + NOTE + "\n" + "\n".join(zsh_function(c) for c in tree.walk()) + '\n_jitproxy "$@"\n'


# ---- fish
FISH_OTHER = """\
# What completes the command of `run`: its own completions.
function __jitproxy_other
    set -l words (commandline -opc) (commandline -ct)
    set -l i (math 1 + (contains -i -- run $words))
    while test $i -lt (count $words); and string match -q -- '-*' $words[$i]
        contains -- $words[$i] VALUED; and set i (math $i + 1)
        test $words[$i] = --; and set i (math $i + 1); and break
        set i (math $i + 1)
    end
    string match -q -- '-*' $words[$i]; or complete -C "$(string join ' ' -- $words[$i..])"
end
"""


def fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_condition(c):
    seen = [f"__fish_seen_subcommand_from {word}" for word in c.path]
    if c.commands:
        seen.append(f"not __fish_seen_subcommand_from {spaced(k.path[-1] for k in c.commands)}")
    return fish_text("; and ".join(seen))


def fish_option(o):
    flags = [f"-s {n[1:]}" if len(n) == 2 else f"-l {n[2:]}" for n in o.names]
    if o.value:
        # -F: files too; -x: nothing but what -a names
        flags.append("-r -F" if o.value == "FILE" else "-x")
        if o.value == "DIR":
            flags.append("-a '(__fish_complete_directories)'")
        elif o.choices:
            flags.append(f"-a {fish_text(spaced(o.choices))}")
    return spaced(flags)


def fish(tree):
    lines = ["# fish completion for jitproxy", NOTE, FISH_OTHER.replace("VALUED", spaced(valued(tree))),
             "complete -c jitproxy -f"]
    for c in tree.walk():
        at = f"complete -c jitproxy -n {fish_condition(c)}"
        lines += [f"{at} -a {k.path[-1]} -d {fish_text(k.text)}" for k in c.commands]
        lines += [f"{at} {fish_option(o)} -d {fish_text(o.text)}" for o in c.options]
        if c.path == RUN:
            lines.append(f"{at} -a '(__jitproxy_other)'")
    return "\n".join(lines) + "\n"
