// Each agent's client secret, from where it is kept.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "jitproxy/app/config_reader.hpp"

namespace jitproxy::app {

namespace {

bool has_line_break(std::string_view text) {
    return text.find_first_of("\r\n") != std::string_view::npos;
}

}  // namespace

result<secret_ptr> read_secret_file(std::string const& path) {
    int const fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return make_error(errc::configuration, "the secret file " + path + " cannot be read: " + std::strerror(errno));
    std::string text(16 * 1024, '\0');  // one buffer, wiped below: no stream keeps a copy of its own
    std::size_t size = 0;
    ssize_t got = 0;
    while (size < text.size() && (got = read(fd, text.data() + size, text.size() - size)) > 0)
        size += static_cast<std::size_t>(got);
    close(fd);
    bool const whole = got == 0;
    if (whole && size > 0 && text[size - 1] == '\n') --size;
    if (whole && size > 0 && text[size - 1] == '\r') --size;
    std::string value = whole ? text.substr(0, size) : std::string{};
    wipe(text);
    if (!whole) return make_error(errc::configuration, "the secret file " + path + " is no file with a secret");
    if (value.empty()) return make_error(errc::configuration, "the secret file " + path + " is empty");
    if (has_line_break(value)) {
        wipe(value);
        return make_error(
            errc::configuration,
            "the secret file " + path + " has a line break inside; it is to hold the secret alone, on one line");
    }
    return make_secret(std::move(value));
}

namespace {

// Where an agent's secret is: a variable (of the default agent), a file, or a credential of the service manager's.
struct secret_source {
    std::string_view variable;  // empty: none
    std::string const& file;
    std::string credential;
};

result<secret_ptr> read_secret(secret_source const& at, variable_lookup const& variables, std::string& from) {
    if (!at.variable.empty())
        if (auto value = variables(at.variable)) {
            from = at.variable;
            if (has_line_break(*value)) {
                wipe(*value);
                return make_error(errc::configuration, "the variable " + from + " has a line break inside");
            }
            return make_secret(std::move(*value));
        }
    from = at.file;
    if (!from.empty()) return read_secret_file(from);
    if (auto const directory = variables("CREDENTIALS_DIRECTORY")) {
        from = *directory + "/" + at.credential;
        if (access(from.c_str(), F_OK) == 0) return read_secret_file(from);
    }
    return make_error(errc::configuration,
                      std::string("the agent's client secret is not set: put it into ") +
                          (at.variable.empty() ? "" : "the variable " + std::string(at.variable) + ", into ") +
                          "a file that client_secret_file names, or into systemd's credential " + at.credential);
}

}  // namespace

std::vector<agent> load_agents(config const& c, variable_lookup const& variables,
                               std::function<void(std::string const&, std::string const&)> const& wrong) {
    std::vector<agent> all;
    auto const add = [&](agent a, secret_source const& at, std::string const& path) {
        auto secret = read_secret(at, variables, a.secret_from);
        if (!secret) return wrong(path + ".client_secret_file", secret.error().detail);
        a.client_secret = std::move(*secret);
        all.push_back(std::move(a));
    };
    auto const& as = c.authorization_server;
    if (!as.client_id.empty() || c.agents.empty())
        add({"default", as.client_id, nullptr, as.scope, {}},
            {"AGENT_CLIENT_SECRET", as.client_secret_file, "client_secret"}, "authorization_server");
    for (std::size_t i = 0; i < c.agents.size(); ++i) {
        auto const& a = c.agents[i];
        auto const name = a.name.empty() ? a.client_id : a.name;
        add({name, a.client_id, nullptr, a.scope, {}}, {{}, a.client_secret_file, "client_secret." + name},
            "agent." + std::to_string(i));
    }
    return all;
}

}  // namespace jitproxy::app
