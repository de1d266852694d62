#include <iostream>

#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/table.hpp"

namespace jitproxy::app {

namespace {

std::string enumerate(json::object const& counts) {  // "served 3, granted 1"
    std::string out;
    for (auto const& [name, n] : counts)
        out += (out.empty() ? "" : ", ") + std::string(name) + " " + json::serialize(n);
    return out;
}

}  // namespace

int status(common_options const& o, bool as_json) {
    auto const answer = ask_daemon(o, "GET", "/v1/status");
    if (!answer || !answer->is_object()) return exit_failed;
    if (as_json) {
        std::cout << json::serialize(*answer) << "\n";
        return exit_done;
    }
    auto const& s = answer->get_object();
    std::cout << "jitproxy " << text_member(s, "version") << ", process " << int_member(s, "pid").value_or(0) << ", up "
              << format_duration(seconds{int_member(s, "uptime_seconds").value_or(0)}) << "\n";
    if (auto const* list = s.if_contains("listeners"); list && list->is_array())
        for (auto const& item : list->get_array())
            std::cout << "listening: " << text_member(item.as_object(), "kind") << " at "
                      << text_member(item.as_object(), "address") << "\n";
    for (auto const* name : {"sessions", "pending_requests", "live_grants"})
        std::cout << name << ": " << int_member(s, name).value_or(0) << "\n";
    if (auto const n = int_member(s, "recovering_tasks").value_or(0); n > 0)
        std::cout << "recovering_tasks: " << n << " (of an earlier life, to be completed yet)\n";
    if (auto const* list = s.if_contains("uncertain_tasks"); list && list->is_array())
        for (auto const& item : list->get_array())
            std::cout << "uncertain: session " << text_member(item.as_object(), "session_id") << ", asked for "
                      << text_member(item.as_object(), "opened_at") << ", may have a task that is still open\n";
    if (auto const* tokens = s.if_contains("agent_tokens"); tokens && tokens->is_array())
        for (auto const& token : tokens->get_array()) {
            auto const& t = token.as_object();
            auto const error = text_member(t, "last_error");
            auto const until = text_member(t, "expires_at");
            std::cout << "agent_token: " << text_member(t, "agent") << " " << text_member(t, "state")
                      << (until.empty() ? "" : " until " + until)
                      << (error.empty() ? "" : " (" + for_terminal(error) + ")") << "\n";
        }
    if (auto const* audit = s.if_contains("audit"); audit && audit->is_object()) {
        auto const reason = text_member(audit->get_object(), "reason");
        std::cout << "audit: " << text_member(audit->get_object(), "state") << " "
                  << for_terminal(text_member(audit->get_object(), "file"))
                  << (reason.empty() ? "" : " (" + for_terminal(reason) + ")") << "\n";
    }
    if (auto const* counters = s.if_contains("counters"); counters && counters->is_object()) {
        auto plain = counters->get_object();
        for (auto const* name : {"outcomes", "escalation_results"}) {
            auto const* table = plain.if_contains(name);
            auto const line = table && table->is_object() ? enumerate(table->get_object()) : std::string();
            plain.erase(name);
            if (!line.empty()) plain[name] = line;
        }
        std::cout << describe(plain);
    }
    return exit_done;
}

}  // namespace jitproxy::app
