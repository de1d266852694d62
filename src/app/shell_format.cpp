#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "jitproxy/app/client_environment.hpp"

namespace jitproxy::app {
namespace {

std::string replace_each(std::string_view text, std::string_view special, std::string_view before) {
    std::string out;
    for (char const ch : text) {
        if (special.find(ch) != std::string_view::npos) out += before;
        out += ch;
    }
    return out;
}

std::string sh_quote(std::string_view text) {  // POSIX 2.2.2: nothing is special within single quotes
    std::string out = "'";
    for (char const ch : text) {
        if (ch == '\'')
            out += "'\\''";
        else
            out += ch;
    }
    return out + "'";
}

std::string fish_quote(std::string_view text) {  // within fish's single quotes \\ and \' are escapes
    return "'" + replace_each(text, "\\'", "\\") + "'";
}

std::string dotenv_quote(std::string_view text) {
    // Single quotes are literal for every reader; only a value with one in it needs the less portable double quotes.
    if (text.find('\'') == std::string_view::npos) return "'" + std::string(text) + "'";
    return "\"" + replace_each(text, "\\\"$`", "\\") + "\"";
}

}  // namespace

std::optional<shell_format> parse_shell_format(std::string_view name) {
    if (name == "sh") return shell_format::sh;
    if (name == "fish") return shell_format::fish;
    if (name == "dotenv") return shell_format::dotenv;
    if (name == "json") return shell_format::json;
    return std::nullopt;
}

result<std::string> format_environment(environment const& variables, shell_format format) {
    std::string out;
    boost::json::object document;
    for (auto const& [name, value] : variables) {
        // A line break is legal in a quoted word, but not in every dotenv reader; none of our values has one.
        if (value.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos)
            return make_error(errc::bad_argument, "the value of " + name + " holds a line break");
        switch (format) {
            case shell_format::sh:
                out += "export " + name + "=" + sh_quote(value) + "\n";
                break;
            case shell_format::fish:
                out += "set -gx " + name + " " + fish_quote(value) + "\n";
                break;
            case shell_format::dotenv:
                out += name + "=" + dotenv_quote(value) + "\n";
                break;
            case shell_format::json:
                document[name] = value;
                break;
        }
    }
    return format == shell_format::json ? boost::json::serialize(document) + "\n" : out;
}

}  // namespace jitproxy::app
