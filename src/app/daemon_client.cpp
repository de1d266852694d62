#include "jitproxy/app/daemon_client.hpp"

#include <unistd.h>

#include <filesystem>

#include "jitproxy/app/accounts.hpp"
#include "jitproxy/app/config_reader.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/table.hpp"

namespace jitproxy::app {
namespace {

struct control_token {
    secret_ptr value;     // null: there is none
    std::string source;   // where it is from
    std::string why_not;  // the reason where there is none
};

control_token find_token(common_options const& o, config const& c) {
    if (auto token = o.variables("JITPROXY_CONTROL_TOKEN"))
        return {make_secret(std::move(*token)), "the variable JITPROXY_CONTROL_TOKEN", {}};
    std::string file = c.listen.control_token_file;
    if (file.empty()) {
        auto const state = state_directory(c, o.variables);
        if (!state) return {nullptr, {}, state.error().detail};
        file = (*state / "control.token").string();
    }
    auto token = read_secret_file(file);
    if (!token) return {nullptr, {}, token.error().detail};
    return {*token, "the file " + file, {}};
}

// A TCP address serves whoever has the token. Asked for here, so that every command says the same of a bad one.
result<void> try_token(control::client& daemon, control_token const& token) {
    auto const answer = daemon.call("GET", "/v1/status", {}, answer_time);
    if (!answer) return make_error(answer.error().code, daemon.where().text() + ": " + answer.error().detail);
    if (answer->status != 401) return {};
    auto const at = "the daemon at " + daemon.where().text();
    if (token.value) return make_error(errc::bad_argument, at + " refuses the control token of " + token.source);
    return make_error(errc::bad_argument, at + " wants its control token, and there is none: " + token.why_not +
                                              "; set JITPROXY_CONTROL_TOKEN or listen.control_token_file");
}

// Only the places that we choose ourselves; one that was named may be shared on purpose.
result<void> check_place(std::filesystem::path const& socket) {
    std::error_code ec;
    auto const directory = socket.parent_path();
    if (!std::filesystem::exists(directory, ec)) return {};  // nobody listens there
    if (socket != service_socket) return check_private_directory(directory);
    return check_service_socket(socket, getuid(), find_user("jitproxy"));
}

}  // namespace

result<control::client> connect_to_daemon(common_options const& o) {
    auto const loaded = load_with(o, false);  // a broken file matters to serve; here it only may say where to look
    std::vector<std::string> candidates;
    if (!o.control.empty() && o.control != "unix")
        candidates = {o.control};
    else if (o.control.empty() && !o.variables("JITPROXY_CONTROL") && loaded.value.listen.control != "unix")
        candidates = {loaded.value.listen.control};
    else
        candidates = control_addresses(o.variables);
    std::string tried;
    std::optional<errc> unusable;  // somebody may well listen there
    auto const next = [&](std::string const& what) { tried += (tried.empty() ? "" : ", ") + what; };
    for (auto const& text : candidates) {
        auto const where = control::parse_address(text);
        if (!where) return where.error();
        if (where->is_unix() && candidates.size() > 1)
            if (auto safe = check_place(where->path); !safe) {
                unusable = safe.error().code;
                next(where->text() + " (" + safe.error().detail + ")");
                continue;
            }
        auto const token = where->is_unix() ? control_token{} : find_token(o, loaded.value);
        auto made = control::client::connect(*where, token.value, milliseconds{3000});
        if (made) {
            if (!where->is_unix())
                if (auto good = try_token(*made, token); !good) return good.error();
            return made;
        }
        if (made.error().code == errc::not_found) {
            next(where->text());
        } else {
            unusable = made.error().code;
            next(made.error().detail);
        }
    }
    if (unusable) return make_error(*unusable, "no daemon can be asked: tried " + tried);
    return make_error(errc::not_found, "no daemon answers at " + tried + "; start one with `jitproxy serve`");
}

std::optional<json::value> ask_daemon(common_options const& o, std::string_view method, std::string const& target,
                                      std::string const& body, milliseconds timeout, std::string const& about) {
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
        auto const why = answer->message();
        bool const named = answer->status != 404 || why.find(about) != std::string::npos;
        fail(for_terminal(named ? why : why + ": " + about));
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
    if (auto const unknown = unknown_placeholder(order.justification); !unknown.empty())
        return make_error(errc::bad_argument,
                          "--justification: there is no " + unknown + "; " + std::string(placeholders_help));
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
