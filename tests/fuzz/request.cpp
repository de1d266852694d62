// Request heads: whatever is accepted is passed on with one meaning. Input: a head, and behind it a letter that chooses
// how it is passed on (fuzz.hpp says how letters are read): without a bearer of ours, with the agent's own
// Authorization kept, with Upgrade.
#include <string>

#include "fuzz.hpp"
#include "jitproxy/http/reply.hpp"
#include "jitproxy/http/target.hpp"
#include "witness.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using fuzz::require;

namespace {

constexpr std::string_view own_name = "jitproxy-me";

// A TRACE that ends here gets the request back, but for its credentials.
void check_trace(request_head head) {
    head.method = "TRACE";
    std::string out;
    write_final_recipient_reply(out, head, {});
    auto const end = find_head_end(out, 0);
    fuzz::witness const reply{std::string_view(out).substr(0, end), "HTTP/1.1 200 OK"};
    require(reply.value("content-length") == std::to_string(out.size() - end), "the length is that of the body");
    request_head back;
    require(parse_request_head(std::string_view(out).substr(end), fuzz::roomy, back).has_value(), "a head comes back");
    for (auto id : {field_id::authorization, field_id::proxy_authorization})
        require(back.find(id) == nullptr, "without credentials");
    require(back.fields.size() <= head.fields.size() && back.target == head.target, "the one that was received");
}

void check_again(std::string_view out, request_head const& head, std::string_view path, body_framing framing) {
    request_head again;
    require(parse_request_head(out, fuzz::roomy, again).has_value(), "what is written is accepted again");
    auto const framing_again = request_framing(again);
    require(framing_again && framing_again->kind == framing.kind && framing_again->length == framing.length,
            "and means the same length");
    require(again.method == head.method && again.target == path, "and the same method and target");
    auto const target = parse_request_target(again.method, again.target);
    require(target && (target->form == target_form::origin || target->form == target_form::asterisk),
            "in the form that an origin gets");
    require(via_contains(again, own_name), "with this proxy named in Via");
    require(keeps_alive(again), "on a connection that stays");
}

void check(std::string_view bytes, request_head const& head, unsigned choice) {
    auto const framing = request_framing(head);
    if (!framing) return fuzz::check_received(bytes, head.version, head.fields, {});
    fuzz::check_received(bytes, head.version, head.fields, *framing);
    std::size_t hosts = 0;
    for (auto const& f : head.fields) {
        auto const name = to_lower(f.name);
        if (name == "host") ++hosts;
        if (framing->kind != body_kind::none) continue;
        require(name != "transfer-encoding", "chunks where they are announced");
        require(name != "content-length" || f.value.find_first_not_of('0') == f.value.npos, "a length that counts");
    }
    require(hosts == 1 || (hosts == 0 && head.version == version::http_1_0), "exactly one Host");
    if (auto const* host = head.find(field_id::host); host != nullptr && !host->value.empty())
        require(parse_authority(host->value, 80).has_value(), "a Host that is accepted is one that can be used");
    auto const target = parse_request_target(head.method, head.target);
    if (!target) return;
    if (head.method == "CONNECT") return require(framing->kind == body_kind::none, "CONNECT has no body");
    require(framing->kind != body_kind::until_close, "a request ends by itself");

    auto const host = target->form == target_form::absolute ? format_authority(target->authority, target->scheme)
                                                            : std::string("tunnel.example:8443");
    outgoing_request options;
    options.path = target->path;
    options.host = host;
    if ((choice & 1) == 0) options.bearer = "t0k";
    options.keep_agent_authorization = (choice & 2) != 0;
    options.upgrade = (choice & 4) != 0 && head.find(field_id::upgrade) != nullptr;
    options.framing = *framing;
    options.via = own_name;
    std::string out;
    write_request_head(out, head, options);

    fuzz::witness const sent{out, std::string(head.method) + ' ' + std::string(target->path) + " HTTP/1.1"};
    require(sent.first_name() == "Host" && sent.value("host") == host && sent.count("host") == 1,
            "one Host, the first field, made from the target");
    sent.check_framing(*framing);

    bool const old = head.version == version::http_1_0;
    bool const trailers = sent.count("te") == 1 && sent.value("te") == "trailers";
    require(trailers || sent.count("te") == 0, "TE at most for trailers");
    require((sent.count("upgrade") > 0) == options.upgrade, "Upgrade only where it is wanted");
    require(sent.count("connection") == (trailers || options.upgrade ? 1 : 0), "one Connection, where one is needed");
    if (trailers || options.upgrade)
        require(sent.value("connection") == (!trailers         ? "upgrade"
                                             : options.upgrade ? "upgrade, TE"
                                                               : "TE"),
                "Connection names what the proxy made");

    bool const kept = options.keep_agent_authorization && head.find(field_id::authorization) != nullptr;
    bool const ours = !options.bearer.empty() && !kept;
    require(sent.count("authorization") == (ours ? 1 : head.count(field_id::authorization)),
            "the agent's credentials or ours, never both");
    if (ours) require(sent.value("authorization") == "Bearer t0k", "our credentials");

    fuzz::names removed{"jit-justification"};
    if (old) removed.insert(removed.end(), {"expect", "te"});
    if (framing->kind != body_kind::chunked) removed.emplace_back("trailer");
    fuzz::names remade{"host", "content-length", "authorization"};
    if (max_forwards(head)) remade.emplace_back("max-forwards");
    std::vector<std::string> for_proxy;
    for (auto const& f : head.fields)
        if (auto name = to_lower(f.name); name.starts_with("proxy-") && name != "proxy-") for_proxy.push_back(name);
    removed.insert(removed.end(), for_proxy.begin(), for_proxy.end());
    for (auto const& name : removed) require(sent.count(name) == 0, "nothing that is not the origin's business");
    auto const via = std::string(old ? "1.0 " : "1.1 ").append(own_name);
    sent.check_passed(head.fields, remade, removed, {{"Via", via}});
    check_again(out, head, target->path, *framing);
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::head_input const input{fuzz::view(data, size)};
    auto const bytes = input.head.view();
    request_head head;
    if (!parse_request_head(bytes, {}, head)) return 0;
    require(find_head_end(bytes, 0) == bytes.size(), "a head that is accepted ends where its end is looked for");
    static_cast<void>(proxy_credentials(head));
    static_cast<void>(prefer_wait(head));
    check(bytes, head, input.choice);
    if ((input.choice & 8) != 0) check_trace(head);
    return 0;
}
