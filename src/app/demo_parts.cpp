#include "jitproxy/app/demo_parts.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "jitproxy/control/client.hpp"

namespace jitproxy::app {
namespace {

constexpr milliseconds start_time{10'000};

std::vector<char*> pointers(std::vector<std::string> const& texts) {
    std::vector<char*> out;
    for (auto const& text : texts) out.push_back(const_cast<char*>(text.c_str()));  // execvpe does not write to them
    out.push_back(nullptr);
    return out;
}

}  // namespace

std::string_view demo_agent_script() noexcept {
    return R"(#!/bin/sh
# An agent. It knows the API's address and nothing of tokens, permissions or proxies.
api=$1
call() {
    echo "$*"
    curl --silent --show-error --max-time 60 --write-out '\n-> %{http_code}\n' --request "$1" "$api$2"
}
call GET /v1/documents/doc_9982
call GET /v1/reports/FY2024-Q4/summary
call GET /v1/documents/doc_9982
call DELETE /v1/documents/doc_9982
)";
}

piped_process::~piped_process() {
    static_cast<void>(stop());
}

result<void> piped_process::start(std::vector<std::string> const& argv, std::vector<std::string> const& variables) {
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) return make_error(errc::internal, std::strerror(errno));
    auto const args = pointers(argv);
    auto const env = pointers(variables);
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int const null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execvpe(args[0], args.data(), env.data());
        _exit(127);
    }
    close(out[1]);
    out_ = out[0];
    if (pid_ < 0) return make_error(errc::internal, "cannot start " + argv[0]);
    return {};
}

std::optional<std::string> piped_process::line(milliseconds timeout) {
    while (true) {
        if (auto const end = buffer_.find('\n'); end != std::string::npos) {
            auto out = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return out;
        }
        if (ended_) return std::nullopt;
        pollfd p{out_, POLLIN, 0};
        if (poll(&p, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
        char piece[4096];
        auto const n = read(out_, piece, sizeof piece);
        if (n > 0) buffer_.append(piece, static_cast<std::size_t>(n));
        if (n == 0) ended_ = true;
    }
}

int piped_process::stop() {
    if (out_ >= 0) close(std::exchange(out_, -1));
    if (pid_ < 0) return 0;
    kill(pid_, SIGTERM);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

result<emulator_urls> start_emulator(piped_process& process, std::filesystem::path const& binary,
                                     std::filesystem::path const& directory, std::string const& api_name,
                                     std::string const& client_secret, std::string const& user_token) {
    auto const ready = directory / "ready.json";
    if (auto started = process.start({binary.string(),
                                      "--listen",
                                      "127.0.0.1:0",
                                      "--as-tls",
                                      "none",
                                      "--api",
                                      "none",
                                      "--api-tls",
                                      "127.0.0.1:0",
                                      "--api-name",
                                      api_name,
                                      "--client-secret",
                                      client_secret,
                                      "--user-token",
                                      user_token,
                                      "--state-dir",
                                      directory.string(),
                                      "--ready-file",
                                      ready.string(),
                                      "--quiet"},
                                     {});
        !started)
        return started.error();
    auto const deadline = std::chrono::steady_clock::now() + start_time;
    while (!process.ended() && std::chrono::steady_clock::now() < deadline) {
        auto const line = process.line(milliseconds{100});
        if (!line || *line != "ready") continue;
        std::ifstream in(ready);
        std::string const text{std::istreambuf_iterator<char>(in), {}};
        auto const document = parse_json_object(text, errc::internal);
        if (!document) return document.error();
        emulator_urls out;
        out.authorization_server = string_member(*document, "as_url").value_or("");
        auto const api = string_member(*document, "api_tls_url").value_or("");
        out.api_port = api.substr(api.rfind(':') + 1);
        out.ca_file = string_member(*document, "ca_file").value_or("");
        return out;
    }
    return make_error(errc::internal, "the emulator (" + binary.string() + ") does not start");
}

result<json::object> emulator_state(std::string const& authorization_server) {
    auto const where = control::parse_address(authorization_server);
    if (!where) return where.error();
    auto client = control::client::connect(*where, nullptr, milliseconds{3000});
    if (!client) return client.error();
    auto const answer = client->call("GET", "/emulator/state", {}, milliseconds{5000});
    if (!answer) return answer.error();
    return parse_json_object(answer->body, errc::internal, {control::client::longest_answer, 32});
}

}  // namespace jitproxy::app
