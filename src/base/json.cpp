#include "jitproxy/base/json.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <limits>

namespace jitproxy {
namespace {

error invalid(errc code, std::string_view what, std::size_t at) {
    return make_error(code, std::string("invalid JSON at byte ").append(std::to_string(at)).append(": ").append(what));
}

// Builds the value from the parser's events. Boost.JSON's own handler would do, but for long decimals its doubles are
// off by a unit in the last place, and then the permission asked for would not be exactly what the API named.
struct value_builder {
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    json::value_stack stack;
    bool out_of_range = false;

    using text = json::string_view;
    using problem = json::error_code;
    bool on_document_begin(problem&) { return true; }
    bool on_document_end(problem&) { return true; }
    bool on_object_begin(problem&) { return true; }
    bool on_object_end(std::size_t n, problem&) { return stack.push_object(n), true; }
    bool on_array_begin(problem&) { return true; }
    bool on_array_end(std::size_t n, problem&) { return stack.push_array(n), true; }
    bool on_key_part(text s, std::size_t, problem&) { return stack.push_chars(s), true; }
    bool on_key(text s, std::size_t, problem&) { return stack.push_key(s), true; }
    bool on_string_part(text s, std::size_t, problem&) { return stack.push_chars(s), true; }
    bool on_string(text s, std::size_t, problem&) { return stack.push_string(s), true; }
    bool on_number_part(text, problem&) { return true; }  // never: the input comes in one piece
    bool on_int64(std::int64_t i, text, problem&) { return stack.push_int64(i), true; }
    bool on_uint64(std::uint64_t u, text, problem&) { return stack.push_uint64(u), true; }
    bool on_double(double rough, text s, problem& ec) {
        double exact = rough;
        auto const [end, status] = std::from_chars(s.data(), s.data() + s.size(), exact);
        static_cast<void>(end);
        if (status == std::errc::result_out_of_range) exact = std::abs(rough) < 1 ? 0 : rough;
        // Beyond double's range lies infinity, which no JSON can say again.
        if ((out_of_range = !std::isfinite(exact) || std::abs(exact) > std::numeric_limits<double>::max()))
            return ec = json::error::exponent_overflow, false;
        return stack.push_double(exact), true;
    }
    bool on_bool(bool b, problem&) { return stack.push_bool(b), true; }
    bool on_null(problem&) { return stack.push_null(), true; }
    bool on_comment_part(text, problem&) { return true; }
    bool on_comment(text, problem&) { return true; }
};

}  // namespace

result<json::value> parse_json(std::string_view text, errc code, json_limits limits) {
    if (text.size() > limits.bytes)
        return make_error(code, "JSON of more than " + std::to_string(limits.bytes) + " bytes");
    json::parse_options options;
    options.max_depth = limits.depth;
    json::basic_parser<value_builder> parser{options};
    parser.handler().stack.reset();
    json::error_code problem;
    std::size_t const used = parser.write_some(false, text.data(), text.size(), problem);
    if (parser.handler().out_of_range) return invalid(code, "a number out of range", used);
    if (problem == json::error::incomplete) return invalid(code, "it ends too early", text.size());
    if (problem) return invalid(code, problem.message(), used);
    if (used < text.size()) return invalid(code, "something behind its end", used);
    return parser.handler().stack.release();
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
