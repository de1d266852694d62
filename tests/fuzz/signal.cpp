// The 403 (or 401) that names what is missing. An input that begins with
//   HTTP/     is an answer, head and body: read however it is cut, refused or understood, but always bounded;
//   { or [    is JSON: put into every dialect, it says the same in each;
//   else      is a WWW-Authenticate value: what is read of it, written in the one strict form, reads as the same.
#include <string>
#include <vector>

#include "../../src/http/challenge.hpp"
#include "fuzz.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/http/signal.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using fuzz::require;

namespace {

constexpr head_limits roomy{.start_line = 8 * 1024, .bytes = 1024 * 1024, .fields = 16};

std::string canonical(permission_signal const& signal) {
    std::string text;
    for (auto const& d : signal.details) text += canonical_json(d) + '\n';
    return text;
}

void check_signal(result<permission_signal> const& signal) {
    if (!signal) return require(signal.error().code == errc::bad_response, "refused as a bad answer");
    require(!signal->details.empty() && signal->details.size() <= 8, "one to eight details");
    require(signal->reference.size() <= 1024, "a reference that is bounded");
    for (auto const& d : signal->details) {
        auto const type = string_member(d, "type");
        require(type && !type->empty(), "each has a type");
        auto const text = canonical_json(d);
        auto const again = parse_json(text, errc::internal, {.bytes = 1024 * 1024, .depth = 32});
        require(again && canonical_json(*again) == text, "the canonical form is one that stays");
    }
}

// ---- an answer
void check_answer(std::string_view input) {
    auto const end = find_head_end(input, 0);
    fuzz::exact const bytes{input.substr(0, end == 0 ? input.size() : end)};
    fuzz::exact const body{input.substr(bytes.view().size())};
    response_head head;
    if (!parse_response_head(bytes.view(), {}, head)) return;
    static_cast<void>(bearer_error(head));
    auto const presence = find_signal(head);
    auto const signal = read_signal(head, body.view());
    check_signal(signal);
    if (head.status != 401 && head.status != 403) require(presence == signal_presence::none, "401 and 403 only");
    if (presence == signal_presence::none) require(!signal, "nothing is read where nothing was found");
    if (presence == signal_presence::in_head) {
        auto const alone = read_signal(head, {});
        require(alone.has_value() == signal.has_value(), "the head is enough where the head has it");
        if (signal) require(canonical(*alone) == canonical(*signal), "and the body changes nothing");
    }
    if (presence == signal_presence::in_body) require(!read_signal(head, {}), "without the body nothing is known");
}

// ---- JSON in every dialect
result<permission_signal> ask(std::string_view head, std::string_view body) {
    response_head parsed;
    std::string text{head};
    text += "\r\n\r\n";
    require(parse_response_head(text, roomy, parsed).has_value(), "the dialect's head is good");
    auto const presence = find_signal(parsed);
    require(presence == (body.empty() ? signal_presence::in_head : signal_presence::in_body), "the dialect is found");
    return read_signal(parsed, body);
}

constexpr std::string_view refused_403 =
    "HTTP/1.1 403 Forbidden\r\nWWW-Authenticate: Bearer error=\"insufficient_authorization_details\"";
constexpr std::string_view refused_401 =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"insufficient_authorization\"";

// All the ways in which base64 is spelled.
std::vector<std::string> spellings(std::string_view text) {
    auto const standard = encode_base64(text);
    auto url = encode_base64url(text);
    for (auto const& encoded : {standard, url}) require(decode_base64(encoded) == text, "base64 there and back");
    auto padded = url;
    padded.append((4 - url.size() % 4) % 4, '=');
    return {standard, standard.substr(0, standard.find('=')), std::move(url), std::move(padded)};
}

std::string join(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (auto part : parts) text += part;
    return text;
}

void check_json(std::string_view text) {
    auto const parsed = parse_json(text, errc::internal);
    std::string expected;
    bool understood = false;
    bool first = true;
    auto const compare = [&](result<permission_signal> const& signal) {
        if (first) {
            check_signal(signal);
            understood = signal.has_value();
            if (understood) expected = canonical(*signal);
        }
        first = false;
        require(signal.has_value() == understood, "what one spelling says, all say");
        if (understood) require(canonical(*signal) == expected, "and it is the same");
    };
    auto const encoded = spellings(text);
    for (auto const& e : encoded) compare(ask(join({refused_403, "\r\nInsufficient-Authorization-Details: ", e}), {}));
    compare(ask(join({refused_403, ", authorization_details=\"", encoded[2], "\""}), {}));
    compare(ask(join({refused_403, ", authorization_details=", encoded[0]}), {}));
    if (!parsed) return require(!understood, "what is no JSON is not understood");
    bool const in_header = understood;
    auto const from_header = expected;

    // One level deeper, an input may be too deep; else nothing differs.
    first = true;
    compare(ask(refused_403, join({"{\"authorization_details\":", text, "}"})));
    compare(ask(join({refused_403, "\r\nContent-Type: application/problem+json; charset=utf-8"}),
                join({"{\"authorization_details_hint\":", text, "}"})));
    auto const document =
        spellings(join({"{\"authorization_details\":", text, ",\"authorization_reference\":\"ref\"}"}));
    for (auto const& e : {document[0], document[2]}) {
        auto const signal = ask(join({refused_401, ", authorization_remediation=", e}), {});
        compare(signal);
        if (signal) require(signal->reference == "ref", "with its reference");
    }
    if (understood) require(in_header && expected == from_header, "body and head say the same");
}

// ---- challenges
void check_challenges(std::string_view input) {
    fuzz::exact const value{input};
    auto const challenges = detail::parse_challenges(value.view());
    std::string strict;
    for (auto const& c : challenges) {
        require(is_token(c.scheme), "a scheme is a token");
        if (!strict.empty()) strict += ", ";
        strict += c.scheme;
        bool first = true;
        for (auto const& [name, text] : c.parameters) {
            require(is_token(name), "a parameter's name is a token");
            strict.append(first ? " " : ", ").append(name).append("=\"");
            first = false;
            for (char const byte : text) {
                if (byte == '"' || byte == '\\') strict += '\\';
                strict += byte;
            }
            strict += '"';
        }
    }
    auto const again = detail::parse_challenges(strict);
    require(again.size() == challenges.size(), "as many challenges");
    for (std::size_t i = 0; i < again.size(); ++i)
        require(again[i].scheme == challenges[i].scheme && again[i].parameters == challenges[i].parameters,
                "each of them the same");
    static_cast<void>(challenge_parameter(value.view(), "Bearer", "error"));
    if (auto const decoded = decode_base64(value.view()))
        for (auto const& encoded : {encode_base64(*decoded), encode_base64url(*decoded)})
            require(decode_base64(encoded) == decoded, "base64 there and back");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const input = fuzz::view(data, size);
    if (input.starts_with("HTTP/"))
        check_answer(input);
    else if (input.starts_with('{') || input.starts_with('['))
        check_json(input);
    else
        check_challenges(input);
    return 0;
}
