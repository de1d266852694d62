// One value of the configuration: is it what its key wants, and into its place with it.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/config_tree.hpp"

namespace jitproxy::app {

using report_problem = std::function<void(position, std::string)>;

// Reports every error in the value (each element of a list has a place of its own); what is wrong is not assigned.
void assign_value(config_key const& key, slot const& where, config_node const& value, report_problem const& report);

// What is wrong with a text of this kind; nullopt where it is good.
[[nodiscard]] std::optional<std::string> text_error(config_key const& key, std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);  // "64MiB", "512KiB", "1GiB", "1024"

}  // namespace jitproxy::app
