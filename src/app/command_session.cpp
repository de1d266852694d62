#include <cstdio>
#include <iostream>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/standard_streams.hpp"
#include "jitproxy/app/table.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::app {
namespace {

std::string target_of(std::string const& id) {
    return "/v1/sessions/" + percent_encode(id);
}

int print_json(json::value const& v) {
    std::cout << json::serialize(v) << "\n";
    return exit_done;
}

}  // namespace

namespace {

int print_session(common_options const& o, session_options const& s, json::value const& opened, shell_format format) {
    if (s.as_json) return print_json(opened);
    auto const& session = opened.get_object();
    if (!s.as_export) {
        std::cout << text_member(session, "proxy_url") << "\n" << text_member(session, "session_id") << "\n";
        return exit_done;
    }
    auto const lines =
        format_environment(merge_environment(environment_of(session), o.variables, java_found(o.variables)), format);
    if (!lines) return fail(lines.error());
    std::cout << *lines;
    // For `session close "$JITPROXY_SESSION"`.
    if (format == shell_format::json) return exit_done;
    auto const id = format_environment({{"JITPROXY_SESSION", text_member(session, "session_id")}}, format);
    if (id) std::cout << *id;
    return exit_done;
}

}  // namespace

int session_open(common_options const& o, session_options const& s) {
    auto const order = session_order_of(s.order, o.variables);
    if (!order) return fail(order.error());
    auto const format = parse_shell_format(s.format);
    if (!format) return fail("--format must be sh, fish, dotenv or json", exit_usage);
    auto const opened = ask_daemon(o, "POST", "/v1/sessions", json::serialize(*order), milliseconds{60'000});
    if (!opened || !opened->is_object()) return exit_failed;
    auto const code = print_session(o, s, *opened, *format);
    if (code == exit_done && output_written()) return exit_done;
    // Nobody has got its id, so nobody else could close it.
    auto const id = text_member(opened->get_object(), "session_id");
    if (ask_daemon(o, "DELETE", target_of(id) + "?wait=30", {}, milliseconds{45'000}))
        fail("session " + id + " is closed");
    return exit_failed;
}

int session_list(common_options const& o, session_options const& s) {
    auto const list = ask_daemon(o, "GET", "/v1/sessions");
    if (!list) return exit_failed;
    if (s.as_json) return print_json(*list);
    text_table table({"SESSION", "STATUS", "NAME", "OPENED", "GRANTS", "PENDING"});
    for (auto const& item : list->as_array()) {
        auto const& session = item.as_object();
        auto const name = text_member(session, "name");
        auto const automatic = session.if_contains("automatic");
        table.add({text_member(session, "session_id"), text_member(session, "status"),
                   automatic && *automatic == true ? name + " (automatic)" : name, text_member(session, "opened_at"),
                   std::to_string(int_member(session, "live_grants").value_or(0)),
                   std::to_string(int_member(session, "pending_requests").value_or(0))});
    }
    std::cout << table.text();
    return exit_done;
}

int session_show(common_options const& o, session_options const& s) {
    auto const found = ask_daemon(o, "GET", target_of(s.id), {}, answer_time, s.id);
    if (!found) return exit_failed;
    if (s.as_json) return print_json(*found);
    std::cout << describe(found->as_object());
    return exit_done;
}

int session_close(common_options const& o, session_options const& s) {
    auto const target = target_of(s.id) + (s.no_wait ? "?wait=0" : "?wait=30");
    auto const closed = ask_daemon(o, "DELETE", target, {}, milliseconds{45'000}, s.id);
    if (!closed) return exit_failed;
    auto const& session = closed->as_object();
    bool const completed = text_member(session, "status") == "completed";
    if (s.as_json)
        print_json(*closed);
    else if (completed)
        std::cout << "session " << s.id << " is closed\n";
    else
        std::cout << "session " << s.id << " is closing; jitproxy goes on until it is confirmed"
                  << (text_member(session, "detail").empty() ? "" : ": " + text_member(session, "detail")) << "\n";
    return completed || s.no_wait ? exit_done : exit_failed;
}

}  // namespace jitproxy::app
