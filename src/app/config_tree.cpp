#include "jitproxy/app/config_tree.hpp"

#include <algorithm>

// The one place that includes toml++. The distribution's library is built with exceptions.
#include <toml++/toml.h>

namespace jitproxy::app {
namespace {

position position_of(toml::source_region const& region) {
    return {region.begin.line ? region.begin.line : 1, region.begin.column ? region.begin.column : 1};
}

std::string describe(toml::node_type type) {
    switch (type) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return "an array";
        case toml::node_type::string:
            return "a string";
        case toml::node_type::integer:
            return "an integer";
        case toml::node_type::floating_point:
            return "a floating-point number";
        case toml::node_type::boolean:
            return "a boolean";
        default:
            return "a date or time";
    }
}

config_node convert(toml::node const& node) {
    config_node out;
    out.at = position_of(node.source());
    out.what = describe(node.type());
    if (auto const* s = node.as_string()) {
        out.kind = config_node::type::string;
        out.text = s->get();
    } else if (auto const* i = node.as_integer()) {
        out.kind = config_node::type::integer;
        out.number = i->get();
    } else if (auto const* b = node.as_boolean()) {
        out.kind = config_node::type::boolean;
        out.truth = b->get();
    } else if (auto const* a = node.as_array()) {
        out.kind = config_node::type::array;
        for (auto const& element : *a) out.elements.push_back(convert(element));
    } else if (auto const* t = node.as_table()) {
        out.kind = config_node::type::table;
        for (auto const& [key, value] : *t)
            out.members.push_back({std::string(key.str()), position_of(key.source()), convert(value)});
        // toml++ keeps tables sorted by name; errors are reported in the order of the file.
        std::stable_sort(out.members.begin(), out.members.end(), [](auto const& x, auto const& y) {
            return std::pair(x.at.line, x.at.column) < std::pair(y.at.line, y.at.column);
        });
    }
    return out;
}

}  // namespace

parsed_toml parse_toml(std::string_view text) {
    parsed_toml out;
    try {
        out.root = convert(toml::parse(text));
    } catch (toml::parse_error const& e) {
        out.error = std::string(e.description());
        out.error_at = position_of(e.source());
    }
    return out;
}

}  // namespace jitproxy::app
