#include "jitproxy/proxy/request_record.hpp"

#include <charconv>

#include "jitproxy/base/log.hpp"
#include "jitproxy/base/one_line.hpp"
#include "jitproxy/http/reply.hpp"

namespace jitproxy::proxy {

namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t longest_path = 256;

}  // namespace

void request_record::restart() {
    auto host_memory = std::move(host);
    auto session_memory = std::move(session_id);
    *this = {};
    host = std::move(host_memory);
    host.clear();
    session_id = std::move(session_memory);
    session_id.clear();
}

void request_record::name_target(http::request_target const& target, http::authority const& to,
                                 http::scheme scheme_spoken) {
    bool const connect = target.form == http::target_form::authority;
    scheme = connect ? std::string_view() : http::to_string(scheme_spoken);
    if (target.rewritten)
        path = "/";  // all but its query; the text itself ends before this does
    else
        path = target.form == http::target_form::asterisk ? "*" : http::without_query(target.path);
    if (to.host.empty()) return;
    bool const v6 = to.host.find(':') != std::string::npos;
    char port[8];
    host.assign(v6 ? "[" : "").append(to.host).append(v6 ? "]:" : ":");
    host.append(port, std::to_chars(port, port + sizeof port, to.port).ptr);
}

void request_record::fail(errc code) noexcept {
    auto const whose = blame_of(code);
    status = http::mapping_of(code).status;
    outcome = whose == blame::client || whose == blame::policy ? proxy::outcome::rejected : proxy::outcome::failed;
    error = code;
}

void describe(log::line& into, request_record const& r, std::chrono::microseconds duration) {
    into.begin(log::current_format(), log::level::info, "request");
    if (!r.method.empty()) into.add("method", cut(r.method, longest_method));
    if (!r.host.empty()) {
        if (!r.scheme.empty()) into.add("scheme", r.scheme);
        into.add("host", r.host);
    }
    if (!r.path.empty()) into.add("path", cut(r.path, longest_path));
    into.add("api", r.api != nullptr ? std::string_view(r.api->name) : no_api);
    if (r.status != 0) into.add_count("status", r.status);
    into.add("outcome", to_string(r.outcome));
    if (r.error) into.add("error", name_of(*r.error));
    into.add_milliseconds("duration_ms", duration);
    into.add_milliseconds("queue_ms", r.queue);
    into.add_milliseconds("upstream_ms", r.upstream);
    if (r.escalated) into.add_milliseconds("approval_ms", r.approval);
    into.add_count("bytes_up", r.bytes_up);
    into.add_count("bytes_down", r.bytes_down);
    if (r.connection_reused) into.add_bare("reused", "true");
    if (!r.session_id.empty()) into.add("session", r.session_id);
    if (!r.request_id.empty()) into.add("request", r.request_id);
    into.end();
}

}  // namespace jitproxy::proxy
