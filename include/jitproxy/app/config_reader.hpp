// A parsed document into a configuration, every error with its place, none of them the last.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/config_load.hpp"
#include "jitproxy/app/config_tree.hpp"

namespace jitproxy::app {

class config_reader {
  public:
    explicit config_reader(std::string file) : file_(std::move(file)) {}

    // False where the document is no TOML at all: then nothing else can be said about it.
    bool read(std::string_view toml, config& out);
    // A flag or variable: `values` as one text, or as a list's elements. `source` is the place that errors name.
    void set(std::string_view table, std::string_view name, std::vector<std::string> const& values,
             std::string const& source, config& out);

    // Something was set (or emptied) by a flag or variable without a value of its own.
    void note(std::string const& path, std::string const& source) { places_[path] = source; }
    [[nodiscard]] std::map<std::string, std::string> origins() const;  // see loaded_config

    void report(std::string where, std::string message) { problems_.push_back({std::move(where), std::move(message)}); }
    // Where something was set, for errors found later: "listen.proxy", "api.0", "api.0.hosts.1". What was not set has
    // the place of what it would stand in; nothing at all: the file.
    [[nodiscard]] std::string where(std::string const& path) const;
    [[nodiscard]] bool was_set(std::string const& path) const { return places_.contains(path); }
    [[nodiscard]] std::vector<config_problem>& problems() noexcept { return problems_; }

  private:
    [[nodiscard]] std::string at(position p) const;
    using locator = std::function<slot(config_key const&)>;  // where a key of the table is kept
    void read_table(std::string_view table, config_node const& node, std::string const& path, locator const& where);
    void read_element(std::string_view table, config_node const& node, config& out);
    void unknown_key(std::string_view table, config_node::member const& member);
    void unknown_table(config_node::member const& member);
    void assign(config_key const& key, slot const& where, config_node const& value);

    std::string file_;
    std::vector<config_problem> problems_;
    std::map<std::string, std::string> places_;
};

// What no single value can tell: duplicates, contradictions, what is missing. Adds to the reader's problems.
void check_config(loaded_config& loaded, config_reader& reader, config_sources const& sources);
// The certificates and keys that are named: whether they are what the connections that use them will need.
void check_certificates(config const& c, config_reader& reader);
// The first "{name}" of a justification's pattern that stands for nothing; empty: each is known.
[[nodiscard]] std::string unknown_placeholder(std::string_view pattern);
inline constexpr std::string_view placeholders_help = "what can be filled in is {method}, {url}, {host} and {api}";
// Every agent with its secret. `wrong`: called with a key's path and a reason for each whose secret is missing; such
// agents are left out.
[[nodiscard]] std::vector<agent> load_agents(
    config const& c, variable_lookup const& variables,
    std::function<void(std::string const& path, std::string const& reason)> const& wrong);

}  // namespace jitproxy::app
