#include "jitproxy/app/daemon_client.hpp"

#include <filesystem>

#include "jitproxy/app/paths.hpp"

namespace jitproxy::app {
namespace {

secret_ptr control_token(common_options const& o, config const& c) {
    if (auto token = o.variables("JITPROXY_CONTROL_TOKEN")) return make_secret(std::move(*token));
    std::string file = c.listen.control_token_file;
    if (file.empty()) {
        auto const state = state_directory(c, o.variables);
        if (!state) return nullptr;
        file = (*state / "control.token").string();
    }
    auto token = read_secret_file(file);
    return token ? *token : nullptr;
}

}  // namespace

result<control::client> connect_to_daemon(common_options const& o) {
    auto const loaded = load_with(o, false);  // a broken file matters to serve; here it only may say where to look
    std::vector<std::string> candidates;
    if (!o.control.empty())
        candidates = {o.control};
    else if (!o.variables("JITPROXY_CONTROL") && loaded.value.listen.control != "unix")
        candidates = {loaded.value.listen.control};
    else
        candidates = control_addresses(o.variables);
    std::string tried;
    for (auto const& text : candidates) {
        auto const where = control::parse_address(text);
        if (!where) return where.error();
        if (where->is_unix()) {
            auto const directory = std::filesystem::path(where->path).parent_path();
            std::error_code ec;
            // Only the directories that we choose ourselves; one that was named may be shared on purpose.
            if (candidates.size() > 1 && std::filesystem::exists(directory, ec))
                if (auto safe = check_private_directory(directory); !safe) return safe.error();
        }
        auto made = control::client::connect(*where, where->is_unix() ? nullptr : control_token(o, loaded.value),
                                             milliseconds{3000});
        if (made || made.error().code != errc::not_found) return made;
        tried += (tried.empty() ? "" : ", ") + where->text();
    }
    return make_error(errc::not_found, "no daemon answers at " + tried + "; start one with `jitproxy serve`");
}

std::optional<json::value> ask_daemon(common_options const& o, std::string_view method, std::string const& target,
                                      std::string const& body, milliseconds timeout) {
    auto daemon = connect_to_daemon(o);
    if (!daemon) {
        fail(daemon.error());
        return std::nullopt;
    }
    auto const answer = daemon->call(method, target, body, timeout);
    if (!answer) {
        fail(answer.error());
        return std::nullopt;
    }
    if (!answer->ok()) {
        fail(answer->message());
        return std::nullopt;
    }
    auto document = answer->document();
    if (!document) {
        fail(document.error());
        return std::nullopt;
    }
    return std::move(*document);
}

result<json::object> session_order_of(order_options const& order, variable_lookup const& variables) {
    json::object document;
    auto const put = [&](std::string_view name, std::string const& value) {
        if (!value.empty()) document[name] = value;
    };
    put("name", order.name);
    put("type", order.type);
    put("agent", order.agent);
    put("on_behalf_of", order.on_behalf_of);
    put("justification", order.justification);
    put("parent_session_id", order.parent);
    if (!order.user_token_file.empty() || (!order.on_behalf_of.empty() && variables("LUMOAUTH_USER_TOKEN"))) {
        auto const token = read_user_token(order.user_token_file, variables);
        if (!token) return token.error();
        document["user_token"] = (*token)->reveal();
    }
    return document;
}

std::string text_member(json::object const& o, std::string_view name) {
    return string_member(o, name).value_or("");
}

environment environment_of(json::object const& session) {
    environment out;
    auto const* env = session.if_contains("env");
    if (!env || !env->is_object()) return out;
    for (auto const& [name, value] : env->get_object())
        if (value.is_string()) out.emplace_back(name, value.get_string());
    return out;
}

}  // namespace jitproxy::app
