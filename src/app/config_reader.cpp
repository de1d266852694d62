#include "jitproxy/app/config_reader.hpp"

#include <filesystem>

#include "jitproxy/app/config_value.hpp"

namespace jitproxy::app {

using type = config_node::type;

std::string config_reader::at(position p) const {
    return file_ + ":" + std::to_string(p.line) + ":" + std::to_string(p.column);
}

std::string config_reader::where(std::string const& path) const {
    for (std::string_view rest = path;;) {
        if (auto const found = places_.find(std::string(rest)); found != places_.end()) return found->second;
        auto const dot = rest.rfind('.');
        if (dot == std::string_view::npos) break;
        rest = rest.substr(0, dot);
    }
    return file_.empty() ? "configuration" : at({});
}

bool config_reader::read(std::string_view toml, config& out) {
    auto const parsed = parse_toml(toml);
    if (!parsed.error.empty()) {
        report(at(parsed.error_at), parsed.error);
        return false;
    }
    for (auto const& member : parsed.root.members) {
        auto const* table = find_table(member.name);
        if (table == nullptr) {
            unknown_table(member);
            continue;
        }
        if (!table->is_array) {
            if (member.value.kind != type::table) {
                report(at(member.at), member.name + " must be a table, " + table->heading());
                continue;
            }
            places_[member.name] = at(member.at);
            read_table(member.name, member.value, member.name, [&out](config_key const& key) { return key.at(out); });
            continue;
        }
        if (member.value.kind != type::array) {
            report(at(member.at), member.name + " must be an array of tables: write " + table->heading());
            continue;
        }
        for (auto const& element : member.value.elements) {
            if (element.kind == type::table)
                read_element(member.name, element, out);
            else
                report(at(element.at), "each " + member.name + " must be a table: write " + table->heading());
        }
    }
    return true;
}

void config_reader::read_element(std::string_view table, config_node const& node, config& out) {
    bool const agent = table == "agent";
    auto const path = std::string(table) + "." + std::to_string(agent ? out.agents.size() : out.apis.size());
    places_[path] = at(node.at);
    if (agent)
        read_table(table, node, path,
                   [&a = out.agents.emplace_back()](config_key const& key) { return key.at_agent(a); });
    else
        read_table(table, node, path, [&a = out.apis.emplace_back()](config_key const& key) { return key.at_api(a); });
}

void config_reader::read_table(std::string_view table, config_node const& node, std::string const& path,
                               locator const& where) {
    for (auto const& member : node.members) {
        auto const* key = find_key(table, member.name);
        if (!key) {
            unknown_key(table, member);
            continue;
        }
        auto const key_path = path + "." + member.name;
        places_[key_path] = at(member.at);
        for (std::size_t i = 0; i < member.value.elements.size(); ++i)
            places_[key_path + "." + std::to_string(i)] = at(member.value.elements[i].at);
        assign(*key, where(*key), member.value);
    }
}

void config_reader::assign(config_key const& key, slot const& where, config_node const& value) {
    auto const name = std::string(key.table) + "." + std::string(key.name);
    auto const tell = [&](position p, std::string message) { report(at(p), name + ": " + message); };
    bool const is_path = key.kind == value_kind::file || key.kind == value_kind::directory;
    if (is_path && value.kind == type::string && !value.text.empty() && value.text.front() != '/') {
        config_node absolute = value;  // relative to the file that says it
        absolute.text = (std::filesystem::absolute(file_).parent_path() / value.text).lexically_normal().string();
        return assign_value(key, where, absolute, tell);
    }
    assign_value(key, where, value, tell);
}

void config_reader::set(std::string_view table, std::string_view name, std::vector<std::string> const& values,
                        std::string const& source, config& out) {
    auto const* key = find_key(table, name);
    if (!key || !key->at || values.empty()) return report(source, "is not a setting");  // a defect of the caller
    auto const path = std::string(table) + "." + std::string(name);
    auto const where = key->at(out);
    config_node node;
    node.kind = type::string;
    node.what = "a string";
    node.text = values.front();
    if (std::holds_alternative<std::vector<std::string>*>(where)) {
        config_node list;
        list.kind = type::array;
        for (auto const& value : values) {
            node.text = value;
            list.elements.push_back(node);
        }
        node = std::move(list);
        std::erase_if(places_, [&](auto const& place) { return place.first.starts_with(path + "."); });
    }
    places_[path] = source;
    assign_value(*key, where, node, [&](position, std::string message) { report(source, std::move(message)); });
}

void config_reader::unknown_key(std::string_view table, config_node::member const& member) {
    if (member.name == "client_secret")
        return report(at(member.at),
                      "a secret has no place in the configuration: put it into a file of its own (mode 0600) that "
                      "client_secret_file names, or into AGENT_CLIENT_SECRET");
    std::vector<std::string_view> names;
    for (auto const& key : config_keys())
        if (key.table == table) names.push_back(key.name);
    auto message = "unknown key \"" + member.name + "\" in " + find_table(table)->heading();
    if (auto const near = nearest_name(member.name, names); !near.empty())
        message += "; did you mean \"" + std::string(near) + "\"?";
    report(at(member.at), std::move(message));
}

void config_reader::unknown_table(config_node::member const& member) {
    std::vector<std::string_view> names;
    for (auto const& table : config_tables()) names.push_back(table.name);
    std::string message =
        std::string("unknown ") + (member.value.kind == type::table ? "table" : "key") + " \"" + member.name + "\"";
    if (auto const near = nearest_name(member.name, names); !near.empty()) {
        message += "; did you mean \"" + std::string(near) + "\"?";
    } else if (member.value.kind != type::table) {
        for (auto const& key : config_keys()) {  // a key without its table
            if (key.name != member.name) continue;
            message += "; it belongs into [" + std::string(key.table) + "]";
            break;
        }
    }
    report(at(member.at), std::move(message));
}

}  // namespace jitproxy::app
