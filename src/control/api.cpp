#include "jitproxy/control/api.hpp"

#include <charconv>

#include "api_impl.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/control/documents.hpp"
#include "jitproxy/control/query.hpp"
#include "jitproxy/http/reply.hpp"

namespace jitproxy::control {
namespace {

using responder = api::impl::responder;

response json_response(unsigned status, json::value const& document) {
    response out;
    out.status = status;
    out.body = json::serialize(document) + "\n";
    return out;
}

response error_response(error const& e) {
    response out;
    out.status = e.code == errc::bad_argument ? 400 : e.code == errc::not_found ? 404 : http::mapping_of(e.code).status;
    out.content_type = "application/problem+json";
    out.body = http::problem_json(e);
    if (auto const wait = http::retry_after_of(e); wait > 0)
        out.fields.emplace_back("Retry-After", std::to_string(wait));
    return out;
}

response method_not_allowed(std::string_view allowed) {
    response out;
    out.status = 405;
    out.content_type = "application/problem+json";
    out.body = R"({"title":"Method not allowed","status":405})";
    out.fields.emplace_back("Allow", allowed);
    return out;
}

std::optional<seconds> wait_of(parsed_target const& target) {
    auto const found = target.query.find("wait");
    if (found == target.query.end()) return api::default_close_wait;
    unsigned n = 0;
    auto const& text = found->second;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return std::min(seconds{n}, api::longest_close_wait);
}

}  // namespace

api::api(jit::task_manager& manager, scheduler& clock, event_hub& events, daemon_view view)
    : impl_(std::make_shared<impl>(manager, clock, events, std::move(view))) {}
api::~api() = default;

void api::handle(request r, std::function<void(response)> const& respond) {
    impl_->route(r, respond);
    wipe(r.body);
}

void api::abandon(std::string const& session_id, jit::actor const& who) {
    impl_->manager.close_session(
        session_id, [](result<jit::session_info> const&) {}, who);
    impl_->forget_closed();
}

void api::impl::route(request& r, responder const& respond) {
    auto const target = parse_target(r.target);
    if (!target) return respond(error_response(make_error(errc::bad_argument, "the target cannot be read")));
    auto const& path = target->segments;
    auto const is = [&](std::string_view a, std::string_view b = {}) {
        return path.size() == (b.empty() ? 1U : 2U) && path[0] == a && (b.empty() || path[1] == b);
    };
    if (path.size() >= 2 && path[0] == "v1" && path[1] == "sessions") return sessions(r, *target, respond);
    if (path.size() >= 2 && path[0] == "v1" && path[1] == "requests") return requests(r, *target, respond);
    if (is("v1", "reload")) {
        if (r.method != "POST") return respond(method_not_allowed("POST"));
        auto const done = view.reload ? view.reload() : result<void>{};
        if (!done) return respond(error_response(done.error()));
        return respond(json_response(200, json::object{{"status", "reloaded"}}));
    }
    bool const known = is("healthz") || is("readyz") || is("metrics") || is("v1", "status") || is("v1", "events") ||
                       is("v1", "access");
    if (!known) return respond(error_response(make_error(errc::not_found, "no such resource")));
    if (r.method != "GET" && r.method != "HEAD") return respond(method_not_allowed("GET, HEAD"));
    if (is("healthz")) return respond(json_response(200, json::object{{"status", "alive"}}));
    if (is("readyz")) {
        // Of the first agent: another that is not known any more must not end the service of all. Anybody may ask.
        auto const state = manager.agent_tokens().front().state;
        bool const ready = state == "live";
        return respond(json_response(ready ? 200 : 503,
                                     json::object{{"status", ready ? "ready" : "not ready"}, {"agent_token", state}}));
    }
    if (is("metrics")) {
        response out;
        out.content_type = "text/plain; version=0.0.4; charset=utf-8";
        out.body = metrics();
        return respond(std::move(out));
    }
    if (is("v1", "status")) return respond(json_response(200, status()));
    if (is("v1", "access")) return respond(json_response(200, view.access(nullptr)));
    response stream;  // v1/events
    stream.content_type = "text/event-stream";
    stream.event_stream = r.method == "GET";
    // A listener that comes late sees what is pending all the same.
    for (auto const& q : manager.requests())
        if (stream.event_stream && q.status == "pending")
            stream.body +=
                event_text({.type = "request.pending", .session_id = q.session_id, .data = request_document(q)});
    respond(std::move(stream));
}

void api::impl::sessions(request& r, parsed_target const& target, responder const& respond) {
    auto const& path = target.segments;
    if (path.size() == 2) {
        if (r.method == "POST") return open_session(r, target, respond);
        if (r.method != "GET") return respond(method_not_allowed("GET, POST"));
        json::array list;
        auto const all = manager.sessions();
        for (std::size_t i = all.size() - std::min(all.size(), longest_list); i < all.size(); ++i)
            list.push_back(session_document(all[i]));
        return respond(json_response(200, list));
    }
    auto const& id = path[2];
    auto const session = manager.session(id);
    if (!session) return respond(error_response(make_error(errc::not_found, "no session " + id)));
    if (path.size() == 4 && path[3] == "access") {
        if (r.method != "GET") return respond(method_not_allowed("GET"));
        auto const found = opened.find(id);
        if (found == opened.end() || session->status != jit::session_status::open)
            return respond(
                error_response(make_error(errc::not_found, "session " + id + " has no credentials to give")));
        auto document = view.access(found->second.get());
        document["session_id"] = id;
        return respond(json_response(200, document));
    }
    if (path.size() != 3) return respond(error_response(make_error(errc::not_found, "no such resource")));
    if (r.method == "GET") return respond(json_response(200, session_document(*session)));
    if (r.method != "DELETE") return respond(method_not_allowed("GET, DELETE"));
    auto const wait = wait_of(target);
    if (!wait) return respond(error_response(make_error(errc::bad_argument, "wait must be a number of seconds")));
    close_session(id, *wait, r.who, respond);
}

void api::impl::open_session(request& r, parsed_target const& target, responder const& respond) {
    if (auto const wrong = wrong_query(target, "attached")) return respond(error_response(*wrong));
    jit::session_order order;
    order.who = r.who;
    if (!r.body.empty()) {
        auto const parsed = parse_json_object(r.body, errc::bad_argument);
        if (!parsed) return respond(error_response(parsed.error()));
        if (auto const wrong = wrong_member(
                *parsed, {"name", "type", "agent", "on_behalf_of", "parent_session_id", "user_token", "justification"},
                "owner_pid"))
            return respond(error_response(*wrong));
        order.task.name = string_member(*parsed, "name").value_or("");
        order.task.type = string_member(*parsed, "type").value_or("");
        order.agent = string_member(*parsed, "agent").value_or("");
        order.task.on_behalf_of = string_member(*parsed, "on_behalf_of").value_or("");
        order.parent_session_id = string_member(*parsed, "parent_session_id").value_or("");
        order.justification = string_member(*parsed, "justification").value_or("");
        order.owner_pid = static_cast<long>(int_member(*parsed, "owner_pid").value_or(0));
        if (auto token = string_member(*parsed, "user_token")) order.user_token = make_secret(std::move(*token));
    }
    bool const attached = target.flag("attached");
    manager.open_session(std::move(order),
                         [self = shared_from_this(), attached, respond](result<jit::opened_session> session) {
                             if (!session) return respond(error_response(session.error()));
                             auto const& info = session->info;
                             self->forget_closed();
                             self->opened[info.session_id] = session->snapshot;
                             json::object document{{"session_id", info.session_id}, {"task_id", info.task_id}};
                             for (auto& member : self->view.access(session->snapshot.get()))
                                 document[member.key()] = member.value();
                             document["expires_at"] = time_value(info.expires_at);
                             auto out = json_response(201, document);
                             out.fields.emplace_back("Location", "/v1/sessions/" + percent_encode(info.session_id));
                             out.opened_session = info.session_id;
                             if (attached) out.attached_session = info.session_id;
                             respond(std::move(out));
                         });
}

void api::impl::close_session(std::string const& id, seconds wait, jit::actor const& who, responder const& respond) {
    // The AS may be down for long: whoever waits is answered in time, and the closing goes on.
    struct waiting {
        responder respond;
        scheduler::timer_id timer = 0;
    };
    auto const state = std::make_shared<waiting>(waiting{respond});
    auto const answer = [state](response out) {
        if (auto const once = std::exchange(state->respond, nullptr)) once(std::move(out));
    };
    auto const closing = [self = shared_from_this(), id, answer](std::string const& why) {
        auto const info = self->manager.session(id);
        auto document = info ? closed_document(*info) : json::object{{"session_id", id}, {"status", "closing"}};
        bool const completed = document["status"] == "completed";
        if (!completed && !why.empty()) document["detail"] = why;
        answer(json_response(completed ? 200 : 202, document));
    };
    if (wait > seconds{0})
        state->timer = clock.call_after(wait, [closing] { closing("the authorization server has not confirmed yet"); });
    opened.erase(id);
    auto const closed = [self = shared_from_this(), state, answer, closing](result<jit::session_info> done) {
        self->clock.cancel(state->timer);
        if (!done && done.error().code == errc::not_found) return answer(error_response(done.error()));
        if (!done) return closing(done.error().detail);
        bool const completed = done->status == jit::session_status::completed;
        answer(json_response(completed ? 200 : 202, closed_document(*done)));
    };
    manager.close_session(id, closed, who);
    if (wait == seconds{0}) closing({});
}

void api::impl::requests(request& r, parsed_target const& target, responder const& respond) {
    auto const& path = target.segments;
    auto const all = manager.requests();
    if (path.size() == 2) {
        if (r.method != "GET") return respond(method_not_allowed("GET"));
        if (auto const wrong = wrong_query(target, "status")) return respond(error_response(*wrong));
        auto const status = target.query.find("status");
        json::array list;
        for (auto const& info : all)
            if (status == target.query.end() || info.status == status->second) list.push_back(request_document(info));
        if (list.size() > longest_list)
            list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(longest_list));
        return respond(json_response(200, list));
    }
    auto const& id = path[2];
    bool const decision = path.size() == 4 && (path[3] == "approve" || path[3] == "deny");
    if (path.size() != 3 && !decision) return respond(error_response(make_error(errc::not_found, "no such resource")));
    if (decision) {
        if (r.method != "POST") return respond(method_not_allowed("POST"));
        return decide(r, id, path[3] == "approve", respond);
    }
    if (r.method != "GET") return respond(method_not_allowed("GET"));
    for (auto const& info : all)
        if (info.request_id == id) return respond(json_response(200, request_document(info)));
    respond(error_response(make_error(errc::not_found, "no request " + id)));
}

void api::impl::decide(request& r, std::string const& id, bool approve, responder const& respond) {
    auto const parsed = parse_json_object(r.body, errc::bad_argument);
    if (!parsed) return respond(error_response(parsed.error()));
    std::string_view const words = approve ? "notes" : "reason";
    if (auto const wrong = wrong_member(*parsed, {"user_token", words})) return respond(error_response(*wrong));
    auto token = string_member(*parsed, "user_token");
    if (!token || token->empty())
        return respond(error_response(make_error(errc::bad_argument,
                                                 "user_token is missing: a human decides, with the "
                                                 "human's own token")));
    auto const done = [respond](result<jit::request_info> info) {
        if (!info) return respond(error_response(info.error()));
        respond(json_response(200, request_document(*info)));
    };
    auto text = string_member(*parsed, words).value_or("");
    auto user = make_secret(std::move(*token));
    if (approve)
        manager.approve(id, std::move(user), std::move(text), done, r.who);
    else
        manager.deny(id, std::move(user), std::move(text), done, r.who);
}

void api::impl::forget_closed() {
    std::erase_if(opened, [&](auto const& entry) {
        auto const info = manager.session(entry.first);
        return !info || info->status != jit::session_status::open;
    });
}

}  // namespace jitproxy::control
