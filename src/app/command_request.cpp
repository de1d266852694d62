#include <csignal>
#include <iostream>

#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/table.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::app {
namespace {

volatile std::sig_atomic_t interrupted = 0;

// "read document doc_9982" rather than JSON, where the details are of the usual shape.
std::string details_text(json::value const* details) {
    if (!details) return {};
    std::string out;
    auto const one = [&](json::object const& o) {
        std::string text;
        if (auto const* actions = o.if_contains("actions"); actions && actions->is_array())
            for (auto const& action : actions->get_array())
                if (action.is_string()) text += (text.empty() ? "" : ",") + std::string(action.get_string());
        for (auto const* name : {"type", "identifier"})
            if (auto const value = string_member(o, name)) text += (text.empty() ? "" : " ") + *value;
        out += (out.empty() ? "" : "; ") + text;
    };
    if (details->is_object()) one(details->get_object());
    if (details->is_array())
        for (auto const& item : details->get_array())
            if (item.is_object()) one(item.get_object());
    return out;
}

std::string age(json::object const& request) {
    auto const created = parse_rfc3339(text_member(request, "created_at"));
    if (!created) return "";
    auto const since = std::chrono::duration_cast<seconds>(std::chrono::system_clock::now() - *created);
    return age_text(since);
}

}  // namespace

int request_list(common_options const& o, request_options const& r) {
    auto const target = "/v1/requests" + (r.status.empty() ? "" : "?status=" + percent_encode(r.status));
    auto const list = ask_daemon(o, "GET", target);
    if (!list) return exit_failed;
    if (r.as_json) {
        std::cout << json::serialize(*list) << "\n";
        return exit_done;
    }
    text_table table({"REQUEST", "STATUS", "RISK", "SINCE", "API", "WHAT", "WHY"});
    for (auto const& item : list->as_array()) {
        auto const& q = item.as_object();
        table.add({text_member(q, "request_id"), text_member(q, "status"), text_member(q, "risk_level"), age(q),
                   text_member(q, "api"), details_text(q.if_contains("authorization_details")),
                   text_member(q, "justification")});
    }
    std::cout << table.text();
    return exit_done;
}

int request_show(common_options const& o, request_options const& r) {
    auto const found = ask_daemon(o, "GET", "/v1/requests/" + percent_encode(r.id), {}, answer_time, r.id);
    if (!found) return exit_failed;
    if (r.as_json)
        std::cout << json::serialize(*found) << "\n";
    else
        std::cout << describe(found->as_object());
    return exit_done;
}

int request_watch(common_options const& o, request_options const& r) {
    auto daemon = connect_to_daemon(o);
    if (!daemon) return fail(daemon.error());
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    auto const done = daemon->events(
        [&](std::string_view type, json::object const& event) {
            if (!type.starts_with("request.") && type != "missed") return true;
            if (r.as_json) {
                std::cout << json::serialize(event) << std::endl;
                return std::cout.good();
            }
            auto const details = details_text(event.if_contains("authorization_details"));
            auto const why = text_member(event, "justification");
            std::cout << type << " " << for_terminal(text_member(event, "request_id")) << " "
                      << for_terminal(text_member(event, "api"))
                      << (details.empty() ? "" : " [" + for_terminal(details) + "]")
                      << (why.empty() ? "" : " " + for_terminal(why)) << std::endl;
            return std::cout.good();  // else nobody reads it any more
        },
        [] { return interrupted != 0; });
    if (!done) return fail(done.error());
    return exit_done;
}

int request_decide(common_options const& o, request_options const& r, bool approve) {
    auto const token = read_user_token(r.user_token_file, o.variables);
    if (!token) return fail(token.error().detail, exit_usage);
    json::object order{{"user_token", (*token)->reveal()}};
    if (!r.text.empty()) order[approve ? "notes" : "reason"] = r.text;
    auto body = json::serialize(order);
    auto const target = "/v1/requests/" + percent_encode(r.id) + (approve ? "/approve" : "/deny");
    auto const decided = ask_daemon(o, "POST", target, body, milliseconds{30'000}, r.id);
    wipe(body);
    if (!decided) return exit_failed;
    if (r.as_json)
        std::cout << json::serialize(*decided) << "\n";
    else
        std::cout << r.id << " is " << for_terminal(text_member(decided->as_object(), "status")) << "\n";
    return exit_done;
}

}  // namespace jitproxy::app
