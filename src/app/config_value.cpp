#include "jitproxy/app/config_value.hpp"

#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/http/target.hpp"
#include "jitproxy/policy/rules.hpp"

namespace jitproxy::app {
namespace {

using type = config_node::type;

std::string wrong_type(std::string_view wanted, config_node const& value) {
    return "must be " + std::string(wanted) + ", not " + value.what;
}

std::optional<std::string> choice_error(std::string_view choices, std::string_view text) {
    std::vector<std::string_view> names;
    for (auto rest = choices; !rest.empty();) {
        auto const bar = rest.find('|');
        names.push_back(rest.substr(0, bar));
        rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
    }
    std::string list;
    for (auto const name : names) {
        if (name == text) return std::nullopt;
        list += (list.empty() ? "\"" : name == names.back() ? " or \"" : ", \"") + std::string(name) + "\"";
    }
    return "must be " + list + ", not " + toml_string(text);
}

std::optional<std::string> url_error(std::string_view text) {
    std::string_view rest = text;
    bool const https = rest.starts_with("https://");
    if (!https && !rest.starts_with("http://")) return "must begin with https:// (or http://)";
    rest.remove_prefix(https ? 8 : 7);
    if (rest.find_first_of("?#@ ") != std::string_view::npos)
        return "must be a base URL, without user, query or fragment";
    auto const parsed = http::parse_authority(rest.substr(0, rest.find('/')), https ? 443 : 80);
    if (!parsed) return "has no usable host: " + parsed.error().detail;
    return std::nullopt;
}

// RFC 952 as RFC 1123 2.1 relaxes it: what no registry would sell is a slip of the pen.
std::optional<std::string> label_error(std::string_view host) {
    for (auto rest = host; !rest.empty();) {
        auto const dot = rest.find('.');
        auto const label = rest.substr(0, dot);
        if (label.starts_with('-') || label.ends_with('-'))
            return toml_string(host) + " has a label that begins or ends with a hyphen";
        rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    }
    return std::nullopt;
}

std::optional<std::string> control_error(std::string_view text) {
    if (text == "unix") return std::nullopt;
    if (text.starts_with("unix:"))
        return text.starts_with("unix:/") ? std::nullopt : std::optional<std::string>("needs an absolute path");
    if (!parse_endpoint(text)) return "must be \"unix\", \"unix:/PATH\" or ADDRESS:PORT";
    return std::nullopt;
}

std::optional<std::string> number_error(config_key const& key, std::uint64_t n) {
    auto const shown = [&](std::uint64_t v) {
        if (key.kind == value_kind::duration) return format_duration(milliseconds{static_cast<std::int64_t>(v)});
        return key.kind == value_kind::size ? format_size(v) : std::to_string(v);
    };
    if (n < key.minimum) return "must be at least " + shown(key.minimum);
    if (n > key.maximum) return "must be at most " + shown(key.maximum);
    return std::nullopt;
}

void assign_number(config_key const& key, std::uint64_t& out, config_node const& value, report_problem const& report) {
    std::optional<std::uint64_t> parsed;
    if (value.kind == type::integer && value.number >= 0) parsed = static_cast<std::uint64_t>(value.number);
    if (value.kind == type::string && key.kind == value_kind::size) {
        parsed = parse_size(value.text);
        if (!parsed) return report(value.at, "is not a size; write it as 65536, \"64KiB\", \"64MiB\" or \"1GiB\"");
    }
    if (!parsed) {
        if (value.kind == type::integer) return report(value.at, "must not be negative");
        return report(value.at, wrong_type(key.kind == value_kind::size ? "a size" : "an integer", value));
    }
    if (auto const wrong = number_error(key, *parsed)) return report(value.at, *wrong);
    out = *parsed;
}

void assign_duration(config_key const& key, milliseconds& out, config_node const& value, report_problem const& report) {
    static constexpr std::string_view how = "write it as \"500ms\", \"10s\", \"5m\", \"2h\" or \"1d\"";
    if (value.kind != type::string) return report(value.at, wrong_type("a duration", value) + "; " + std::string(how));
    auto const parsed = parse_duration(value.text);
    if (!parsed) return report(value.at, "is not a duration; " + std::string(how));
    if (auto const wrong = number_error(key, static_cast<std::uint64_t>(parsed->count())))
        return report(value.at, *wrong);
    out = *parsed;
}

void assign_list(config_key const& key, std::vector<std::string>& out, config_node const& value,
                 report_problem const& report) {
    if (value.kind != type::array) return report(value.at, wrong_type("an array of strings", value));
    std::vector<std::string> list;
    bool good = true;
    for (auto const& element : value.elements) {
        std::optional<std::string> wrong;
        if (element.kind != type::string)
            wrong = wrong_type("a string", element);
        else
            wrong = text_error(key, element.text);
        if (wrong) {
            report(element.at, *wrong);
            good = false;
        } else {
            list.push_back(element.text);
        }
    }
    if (good) out = std::move(list);
}

void assign_ports(config_key const& key, port_set& out, config_node const& value, report_problem const& report) {
    bool const any_allowed = key.choices == "any";
    if (value.kind != type::array) return report(value.at, wrong_type("an array of ports", value));
    port_set set;
    bool good = true;
    for (auto const& element : value.elements) {
        if (any_allowed && element.kind == type::string && element.text == "any") {
            set.any = true;
        } else if (element.kind != type::integer || element.number < 1 || element.number > 65535) {
            report(element.at, any_allowed ? "must be a port, 1 to 65535, or \"any\"" : "must be a port, 1 to 65535");
            good = false;
        } else {
            set.ports.push_back(static_cast<std::uint16_t>(element.number));
        }
    }
    if (good && !any_allowed && set.ports.empty()) return report(value.at, "needs at least one port");
    if (set.any) set.ports.clear();
    if (good) out = std::move(set);
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t n = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (failed != std::errc{} || end == text.data()) return std::nullopt;
    auto const unit = text.substr(static_cast<std::size_t>(end - text.data()));
    unsigned shift = 0;
    if (unit == "KiB")
        shift = 10;
    else if (unit == "MiB")
        shift = 20;
    else if (unit == "GiB")
        shift = 30;
    else if (!unit.empty() && unit != "B")
        return std::nullopt;
    if (n > (UINT64_MAX >> shift)) return std::nullopt;
    return n << shift;
}

std::optional<std::string> text_error(config_key const& key, std::string_view text) {
    for (char const ch : text)
        if (static_cast<unsigned char>(ch) < 0x20 || ch == 0x7f) return "must not contain control characters";
    if (text.empty() && !key.example.empty()) return std::nullopt;  // may be left out
    switch (key.kind) {
        case value_kind::choice:
            return choice_error(key.choices, text);
        case value_kind::url:
            return url_error(text);
        case value_kind::control:
            return control_error(text);
        case value_kind::endpoint:
            if (!parse_endpoint(text)) return "must be ADDRESS:PORT, for example \"127.0.0.1:8080\" or \"[::1]:8080\"";
            return std::nullopt;
        case value_kind::name_server:
            if (!is_address(text) && !parse_endpoint(text)) return "must be ADDRESS or ADDRESS:PORT";
            return std::nullopt;
        case value_kind::host:
            if (auto const parsed = policy::host_pattern::parse(text); !parsed) return parsed.error().detail;
            return label_error(text);
        case value_kind::block:
            if (auto const parsed = policy::address_guard::create({std::string(text)}); !parsed)
                return parsed.error().detail;
            return std::nullopt;
        case value_kind::file: {
            if (text.empty()) return std::nullopt;
            std::string const path(text);
            std::error_code ec;
            if (!std::filesystem::exists(path, ec)) return "names a file that does not exist: " + path;
            if (std::filesystem::is_directory(path, ec)) return "names a directory, not a file: " + path;
            if (access(path.c_str(), R_OK) != 0) return "names a file that cannot be read: " + path;
            return std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

void assign_value(config_key const& key, slot const& where, config_node const& value, report_problem const& report) {
    if (auto* const* text = std::get_if<std::string*>(&where)) {
        if (value.kind != type::string) return report(value.at, wrong_type("a string", value));
        if (auto const wrong = text_error(key, value.text)) return report(value.at, *wrong);
        **text = value.text;
    } else if (auto* const* truth = std::get_if<bool*>(&where)) {
        if (value.kind != type::boolean) return report(value.at, wrong_type("true or false", value));
        **truth = value.truth;
    } else if (auto* const* number = std::get_if<std::uint64_t*>(&where)) {
        assign_number(key, **number, value, report);
    } else if (auto* const* time = std::get_if<milliseconds*>(&where)) {
        assign_duration(key, **time, value, report);
    } else if (auto* const* list = std::get_if<std::vector<std::string>*>(&where)) {
        assign_list(key, **list, value, report);
    } else if (auto* const* ports = std::get_if<port_set*>(&where)) {
        assign_ports(key, **ports, value, report);
    }
}

}  // namespace jitproxy::app
