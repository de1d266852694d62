// Answers' heads: whatever is accepted is passed on with one meaning. Input: a head, and behind it a letter that
// chooses how it is passed on (fuzz.hpp says how letters are read): to a HEAD, to an HTTP/1.0 client, on a connection
// that is closed, with trailers or (1xx apart) the fields that say what became of a permission, which go together here.
// With 'P' all of the input is the text of an error that the proxy answers with.
#include <array>
#include <string>

#include "fuzz.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/http/reply.hpp"
#include "witness.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using fuzz::require;

namespace {

constexpr std::string_view own_name = "jitproxy-me";
constexpr std::array<extra_field, 2> annotation{{{"Proxy-Status", "jitproxy"}, {"JIT-Request-Status", "pending"}}};

void check(std::string_view bytes, response_head const& head, unsigned choice) {
    require(head.status >= 100 && head.status <= 999, "a status of three digits");
    std::string_view const method = (choice & 1) != 0 ? "HEAD" : "GET";
    auto const framing = response_framing(head, method);
    fuzz::check_received(bytes, head.version, head.fields,
                         framing ? std::optional<body_framing>(*framing) : std::nullopt);
    bool const bodiless = method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304;
    if (framing && bodiless) require(framing->kind == body_kind::none, "no body where there is none");
    if (framing && !bodiless && framing->kind == body_kind::none)
        require(head.count(field_id::content_length) == 1, "no body where none is announced");
    bool const interim = head.status < 200;
    if (!framing && !interim) return;  // a 1xx is passed on before the framing is looked at

    outgoing_response options;
    bool const old_client = (choice & 2) != 0;
    options.client_version = old_client ? version::http_1_0 : version::http_1_1;
    if (framing) options.framing = *framing;
    auto& kind = options.framing.kind;
    options.trailers = (choice & 8) != 0 && kind == body_kind::chunked && !old_client;
    if (kind == body_kind::chunked || kind == body_kind::until_close)
        kind = old_client ? body_kind::until_close : body_kind::chunked;
    options.keep_alive = (choice & 4) == 0 && kind != body_kind::until_close;
    options.upgrade = head.status == 101;
    options.via = own_name;
    options.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    bool const annotated = (choice & 8) != 0 && !interim;
    if (annotated) options.extra = annotation;
    std::string out;
    write_response_head(out, head, options);

    fuzz::witness const sent{out, "HTTP/1.1 " + std::to_string(head.status) + ' ' + std::string(head.reason)};
    sent.check_framing(options.framing);
    if (interim || head.status == 204) require(sent.count("content-length") == 0, "no length of what has no body");
    bool const upgrade = sent.count("upgrade") > 0;
    require(!upgrade || head.status == 101 || head.status == 426, "Upgrade only where it is wanted");
    require(sent.count("te") == 0 && sent.count("connection") <= 1, "at most one Connection");
    bool const close = !interim && !options.keep_alive;
    std::string_view connection;
    if (upgrade)
        connection = close ? "close, upgrade" : "upgrade";
    else if (close)
        connection = "close";
    else if (old_client && !interim)
        connection = "keep-alive";
    require(sent.value("connection") == connection, "Connection says what the proxy does");

    fuzz::names remade{"content-length"};
    if (annotated) {
        for (auto const& [name, value] : annotation) {
            auto const lower = to_lower(name);
            require(sent.count(lower) == 1 && sent.value(lower) == value, "what the proxy says stands alone");
        }
        remade.insert(remade.end(), {"proxy-status", "jit-request-status"});
    }
    fuzz::names removed;
    if (!options.trailers) removed.emplace_back("trailer");
    auto const via = std::string(head.version == version::http_1_0 ? "1.0 " : "1.1 ").append(own_name);
    fuzz::fields added{{"Via", via}};
    bool const dated = head.find(field_id::date) != nullptr && !fuzz::witness::nominated(head.fields, "date");
    if (!dated && !interim) added.emplace_back("Date", options.date);
    sent.check_passed(head.fields, remade, removed, added);

    response_head again;
    require(parse_response_head(out, fuzz::roomy, again).has_value(), "what is written is accepted again");
    require(again.status == head.status && again.reason == head.reason, "with the same status");
    auto const framing_again = response_framing(again, method);
    require(framing_again && framing_again->kind == kind && framing_again->length == options.framing.length,
            "and means the same length");
    require(interim || keeps_alive(again, *framing_again) == options.keep_alive,
            "on a connection that stays where it was to stay");
}

// The proxy's own answers, whatever text is in them.
void check_reply(std::string_view text, unsigned choice) {
    auto const code = static_cast<errc>(text.size() % (static_cast<unsigned>(errc::internal) + 1));
    std::string out;
    write_error_reply(out, make_error(code, std::string(text)), {.keep_alive = (choice & 1) != 0});
    auto const end = find_head_end(out, 0);
    auto const status = mapping_of(code).status;
    fuzz::witness const sent{std::string_view(out).substr(0, end),
                             "HTTP/1.1 " + std::to_string(status) + ' ' + std::string(reason_phrase(status))};
    require(sent.value("content-length") == std::to_string(out.size() - end), "the length is that of the body");
    require(parse_json_object(std::string_view(out).substr(end), errc::internal).has_value(), "the body is JSON");
    for (char const c : sent.value("proxy-status")) require(c >= 0x20 && c < 0x7F, "Proxy-Status is printable ASCII");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::head_input const input{fuzz::view(data, size)};
    if ((input.choice & 16) != 0) {
        check_reply(fuzz::view(data, size), input.choice);
        return 0;
    }
    auto const bytes = input.head.view();
    response_head head;
    if (!parse_response_head(bytes, {}, head)) return 0;
    require(find_head_end(bytes, 0) == bytes.size(), "a head that is accepted ends where its end is looked for");
    check(bytes, head, input.choice);
    return 0;
}
