#include <array>
#include <utility>

#include "jitproxy/app/config_keys.hpp"

namespace jitproxy::app {
namespace {

template <class... F>
struct overloaded : F... {
    using F::operator()...;
};

std::string join_lines(std::string_view text, std::string_view prefix, std::size_t width) {
    std::string out;
    std::string line(prefix);
    while (!text.empty()) {
        auto const space = text.find(' ');
        auto const word = text.substr(0, space);
        if (line.size() > prefix.size() && line.size() + 1 + word.size() > width) {
            out += line + "\n";
            line = prefix;
        }
        if (line.size() > prefix.size()) line += ' ';
        line += word;
        text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    }
    return out + line + "\n";
}

std::string default_of(config_key const& key) {
    config c;
    api_config api;
    agent_config agent;
    return format_value(key, key.at ? key.at(c) : key.at_api ? key.at_api(api) : key.at_agent(agent));
}

std::string_view kind_text(config_key const& key) {
    switch (key.kind) {
        case value_kind::text:
            return "string";
        case value_kind::choice:
            return "choice";
        case value_kind::url:
            return "URL";
        case value_kind::file:
        case value_kind::directory:
            return "path";
        case value_kind::endpoint:
        case value_kind::control:
        case value_kind::name_server:
            return "address";
        case value_kind::host:
            return "host patterns";
        case value_kind::block:
            return "CIDR blocks";
        case value_kind::port:
            return "ports";
        case value_kind::flag:
            return "boolean";
        case value_kind::count:
            return "integer";
        case value_kind::size:
            return "size";
        case value_kind::duration:
            return "duration";
    }
    return "";
}

std::string table_cell(std::string_view text) {  // "|" would end a cell of a Markdown table
    std::string out;
    for (char const ch : text) {
        if (ch == '|') out += '\\';
        out += ch;
    }
    return out;
}

}  // namespace

std::string format_size(std::uint64_t bytes) {
    static constexpr std::array<std::pair<std::uint64_t, std::string_view>, 3> units{
        {{1ULL << 30, "GiB"}, {1ULL << 20, "MiB"}, {1ULL << 10, "KiB"}}};
    for (auto const& [factor, name] : units)
        if (bytes != 0 && bytes % factor == 0) return std::to_string(bytes / factor) + std::string(name);
    return std::to_string(bytes);
}

std::string toml_string(std::string_view text) {  // a basic string, TOML 1.0
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out = "\"";
    for (char const ch : text) {
        auto const byte = static_cast<unsigned char>(ch);
        if (ch == '"' || ch == '\\') {
            out += '\\';
            out += ch;
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += ch;
        }
    }
    return out + '"';
}

std::string format_value(config_key const& key, slot const& where) {
    return std::visit(overloaded{
                          [](std::string const* s) { return toml_string(*s); },
                          [](bool const* b) { return std::string(*b ? "true" : "false"); },
                          [&](std::uint64_t const* n) {
                              if (key.kind != value_kind::size) return std::to_string(*n);
                              auto const text = format_size(*n);
                              return text == std::to_string(*n) ? text : toml_string(text);
                          },
                          [](milliseconds const* d) { return toml_string(format_duration(*d)); },
                          [](std::vector<std::string> const* list) {
                              std::string out = "[";
                              for (auto const& item : *list) out += (out.size() > 1 ? ", " : "") + toml_string(item);
                              return out + "]";
                          },
                          [](port_set const* set) {
                              if (set->any) return std::string("[\"any\"]");
                              std::string out = "[";
                              for (auto const p : set->ports) out += (out.size() > 1 ? ", " : "") + std::to_string(p);
                              return out + "]";
                          },
                      },
                      where);
}

std::string render_config(config const& given) {
    config c = given;  // slots are mutable
    std::string out;
    for (auto const& table : config_tables()) {
        auto const render = [&](auto const& where) {
            out += (out.empty() ? "" : "\n") + table.heading() + "\n";
            for (auto const& key : config_keys())
                if (key.table == table.name)
                    out += std::string(key.name) + " = " + format_value(key, where(key)) + "\n";
        };
        if (!table.is_array) render([&](config_key const& key) { return key.at(c); });
        if (table.name == "agent")
            for (auto& a : c.agents) render([&](config_key const& key) { return key.at_agent(a); });
        if (table.name == "api")
            for (auto& a : c.apis) render([&](config_key const& key) { return key.at_api(a); });
    }
    return out;
}

std::string render_example() {
    std::string out =
        "# Every key of jitproxy with its default. A file needs only what differs; minimal.toml shows the least.\n"
        "# `jitproxy check -c FILE` reads a file as `jitproxy serve` would and reports every error with its place.\n"
        "# Precedence, highest first: command-line flag, variable, this file, default.\n";
    for (auto const& table : config_tables()) {
        bool const optional = table.name == "agent";  // a file need not have one
        out += "\n" + join_lines(table.doc, "# ", 100) + (optional ? "# " : "") + table.heading() + "\n";
        for (auto const& key : config_keys()) {
            if (key.table != table.name) continue;
            out += join_lines(key.doc, "# ", 100);
            if (key.table == "api" && key.name == "hosts") {
                out += "hosts = [\"api.example.com\"]\n";
            } else {
                // An empty text and what the text would be: as comments, so that the file says what is meant.
                bool const unset = optional || !key.example.empty();
                out += (unset ? "# " : "") + std::string(key.name) + " = " +
                       (!key.example.empty() ? toml_string(key.example) : default_of(key)) + "\n";
            }
        }
    }
    return out;
}

std::string render_reference() {
    std::string out;
    for (auto const& table : config_tables()) {
        out += "## " + table.heading() + "\n\n";
        out += std::string(table.doc) + "\n\n| key | kind | default | meaning |\n| --- | --- | --- | --- |\n";
        for (auto const& key : config_keys()) {
            if (key.table != table.name) continue;
            std::string kind(kind_text(key));
            if (key.kind == value_kind::choice) kind = "`" + std::string(key.choices) + "`";
            out += "| `" + std::string(key.name) + "` | " + table_cell(kind) + " | `" + table_cell(default_of(key)) +
                   "` | " + table_cell(key.doc) + " |\n";
        }
        out += "\n";
    }
    return out;
}

}  // namespace jitproxy::app
