#include "jitproxy/base/json.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace jitproxy {
namespace {

error invalid(errc code, std::string_view what, std::size_t at) {
    return make_error(code, std::string("invalid JSON at byte ").append(std::to_string(at)).append(": ").append(what));
}

// A number beyond double's range would come out as infinity, which no JSON can say again.
bool all_finite(json::value const& v) {
    switch (v.kind()) {
        case json::kind::double_:
            return std::isfinite(v.get_double());
        case json::kind::array:
            for (auto const& element : v.get_array())
                if (!all_finite(element)) return false;
            return true;
        case json::kind::object:
            for (auto const& member : v.get_object())
                if (!all_finite(member.value())) return false;
            return true;
        default:
            return true;
    }
}

}  // namespace

result<json::value> parse_json(std::string_view text, errc code, json_limits limits) {
    if (text.size() > limits.bytes)
        return make_error(code, "JSON of more than " + std::to_string(limits.bytes) + " bytes");
    json::parse_options options;
    options.max_depth = limits.depth;
    json::stream_parser parser{{}, options};
    json::error_code problem;
    std::size_t const used = parser.write(text.data(), text.size(), problem);
    if (problem) return invalid(code, problem.message(), used);
    parser.finish(problem);
    if (problem) return invalid(code, "it ends too early", text.size());
    json::value value = parser.release();
    if (!all_finite(value)) return make_error(code, "JSON with a number out of range");
    return value;
}

result<json::object> parse_json_object(std::string_view text, errc code, json_limits limits) {
    auto value = parse_json(text, code, limits);
    if (!value) return value.error();
    if (!value->is_object()) return make_error(code, "JSON, but not an object");
    return std::move(value->get_object());
}

std::optional<std::string> string_member(json::object const& o, std::string_view name) {
    auto const* value = o.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string{std::string_view{value->get_string()}};
}

std::optional<std::int64_t> int_member(json::object const& o, std::string_view name) {
    auto const* value = o.if_contains(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_int64()) return value->get_int64();
    if (value->is_double()) {
        double const d = value->get_double();
        // 2^63 itself is out of range; both bounds are exact as doubles.
        if (d != std::trunc(d) || d < -0x1p63 || d >= 0x1p63) return std::nullopt;
        return static_cast<std::int64_t>(d);
    }
    if (value->is_string()) {
        std::string_view const digits{value->get_string()};
        std::int64_t number = 0;
        auto const [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (problem != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
        return number;
    }
    return std::nullopt;
}

}  // namespace jitproxy
