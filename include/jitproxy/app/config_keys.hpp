// One description of every configuration key: it drives reading, `check`'s output, the example file and the reference.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "jitproxy/app/config.hpp"

namespace jitproxy::app {

enum class value_kind : std::uint8_t {
    text,         // any string
    choice,       // one of key::choices
    url,          // http or https, no query, no user
    file,         // a path; a file that can be read, where it is not empty
    directory,    // a path
    endpoint,     // ADDRESS:PORT
    control,      // "unix", "unix:/PATH" or ADDRESS:PORT
    host,         // exact name or *.suffix
    name_server,  // ADDRESS or ADDRESS:PORT
    block,        // CIDR block or address
    port,         // 1 to 65535
    flag,         // true or false
    count,        // integer
    size,         // integer of bytes or "64KiB", "64MiB", "1GiB"
    duration,     // "500ms", "10s", "5m", "2h", "1d"
};

// Where a key's value is kept. Lists are the vector types; the kind then is that of each element.
using slot = std::variant<std::string*, bool*, std::uint64_t*, milliseconds*, std::vector<std::string>*, port_set*>;

struct config_key {
    std::string_view table;  // "listen"; "api" for what stands in each [[api]], "agent" likewise
    std::string_view name;
    value_kind kind = value_kind::text;
    // Where it is kept: in the configuration, or in one element of an array of tables. One of them is set.
    slot (*at)(config&) = nullptr;
    slot (*at_api)(api_config&) = nullptr;
    slot (*at_agent)(agent_config&) = nullptr;
    std::string_view doc;
    std::string_view choices = {};  // "a|b"; for ports "any" allows the word
    // Of counts, sizes (bytes) and durations (ms), both inclusive.
    std::uint64_t minimum = 0;
    std::uint64_t maximum = UINT64_MAX;
    std::string_view example = {};  // shown in the example file where the default is empty

    [[nodiscard]] constexpr config_key one_of(std::string_view c) const {
        auto k = *this;
        k.choices = c;
        return k;
    }
    [[nodiscard]] constexpr config_key at_least(std::uint64_t n) const {
        auto k = *this;
        k.minimum = n;
        return k;
    }
    [[nodiscard]] constexpr config_key at_most(std::uint64_t n) const {
        auto k = *this;
        k.maximum = n;
        return k;
    }
    [[nodiscard]] constexpr config_key shown_as(std::string_view e) const {
        auto k = *this;
        k.example = e;
        return k;
    }
};

struct config_table {
    std::string_view name;
    std::string_view doc;
    bool is_array = false;  // [[name]]

    [[nodiscard]] std::string heading() const;  // "[listen]", "[[api]]"
};

[[nodiscard]] std::span<config_table const> config_tables();  // in the order of the example file
[[nodiscard]] std::span<config_key const> config_keys();      // grouped by table, in the same order
[[nodiscard]] config_table const* find_table(std::string_view name);
[[nodiscard]] config_key const* find_key(std::string_view table, std::string_view name);
// The name in `candidates` that `wrong` most likely meant; empty where none is near.
[[nodiscard]] std::string_view nearest_name(std::string_view wrong, std::span<std::string_view const> candidates);

[[nodiscard]] std::string format_size(std::uint64_t bytes);
[[nodiscard]] std::string toml_string(std::string_view text);
// A key's present value as TOML writes it.
[[nodiscard]] std::string format_value(config_key const& key, slot const& where);

// The effective configuration as TOML: every key, no secret (there is none in it).
[[nodiscard]] std::string render_config(config const& c);
// config/jitproxy.toml: every key with its default and what it means.
[[nodiscard]] std::string render_example();
// docs/configuration.md's tables.
[[nodiscard]] std::string render_reference();

}  // namespace jitproxy::app
