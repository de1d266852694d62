// A TOML document as a plain tree with positions: all that the rest of this room sees of toml++.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jitproxy::app {

struct position {
    unsigned line = 1;
    unsigned column = 1;
};

struct config_node {
    enum class type : std::uint8_t { string, integer, boolean, array, table, other };
    struct member;

    type kind = type::other;
    std::string what;  // the TOML type, for messages: "a string", "a date", …
    std::string text;  // of a string
    std::int64_t number = 0;
    bool truth = false;
    std::vector<config_node> elements;  // of an array
    std::vector<member> members;        // of a table, in the order of the file
    position at;
};
struct config_node::member {
    std::string name;
    position at;  // of the name
    config_node value;
};

struct parsed_toml {
    config_node root;
    std::string error;  // not empty: a syntax error, at `error_at`
    position error_at;
};
[[nodiscard]] parsed_toml parse_toml(std::string_view text);

}  // namespace jitproxy::app
