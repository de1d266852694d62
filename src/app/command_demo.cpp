#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/demo_parts.hpp"
#include "jitproxy/app/private_daemon.hpp"
#include "jitproxy/app/table.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/id.hpp"

extern char** environ;

namespace jitproxy::app {
namespace fs = std::filesystem;
namespace {

constexpr char const* api_name = "api.acme-corp.localhost";  // RFC 6761: this machine, without a name server
constexpr milliseconds decide_by_itself{4000};

void say(std::string const& text) {
    std::cout << text << std::endl;
}

std::string what_of(json::object const& event) {  // "read document doc_9982"
    std::string out;
    auto const* details = event.if_contains("authorization_details");
    if (!details || !details->is_array() || details->get_array().empty()) return out;
    auto const& first = details->get_array().front();
    if (!first.is_object()) return out;
    if (auto const* actions = first.get_object().if_contains("actions"); actions && actions->is_array())
        for (auto const& action : actions->get_array())
            if (action.is_string()) out += std::string(action.get_string()) + " ";
    return out + text_member(first.get_object(), "type") + " " + text_member(first.get_object(), "identifier");
}

class story {
  public:
    story(demo_options options, variable_lookup variables)
        : options_(std::move(options)), variables_(std::move(variables)) {}
    ~story() {
        std::error_code ec;
        if (!directory_.empty() && !options_.keep) fs::remove_all(directory_, ec);
    }
    story(story const&) = delete;
    story& operator=(story const&) = delete;

    int tell();

  private:
    [[nodiscard]] fs::path emulator_binary() const;
    [[nodiscard]] config configuration(emulator_urls const& urls) const;
    bool run_agent(control::address const& control, std::string const& base_url);
    void on_event(std::string const& type, json::object const& event);
    void decide(std::string const& request_id);
    bool check_end(std::string const& authorization_server);

    demo_options options_;
    variable_lookup variables_;
    fs::path directory_;
    std::string client_secret_ = random_token(24);
    std::string user_token_ = random_token(24);
    control::address control_;
    event_queue events_;
    std::vector<std::string> statuses_;
    bool asked_human_ = false;
    bool approved_ = false;
    unsigned granted_ = 0;
};

fs::path story::emulator_binary() const {
    if (!options_.emulator.empty()) return options_.emulator;
    std::error_code ec;
    return fs::read_symlink("/proc/self/exe", ec).parent_path() / "jitproxy-emulator";
}

config story::configuration(emulator_urls const& urls) const {
    config c;
    c.authorization_server.url = urls.authorization_server;
    c.authorization_server.tenant = "acme-corp";
    c.authorization_server.client_id = "agt_demo";
    api_config api;
    api.name = "acme";
    api.hosts = {api_name};
    api.ports = {{static_cast<std::uint16_t>(std::stoul(urls.api_port))}};
    api.ca_file = urls.ca_file;
    c.apis.push_back(std::move(api));
    c.egress.allow_addresses = {"127.0.0.0/8", "::1"};
    c.approval.poll_interval = milliseconds{500};
    c.log.level = "error";
    c.state.directory = (directory_ / "state").string();
    return c;
}

void story::decide(std::string const& request_id) {
    asked_human_ = true;
    bool const terminal = !options_.automatic && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    approved_ = true;
    if (terminal) {
        std::cout << "          May the agent do this? [y/n] " << std::flush;
        std::string answer;
        std::getline(std::cin, answer);
        approved_ = answer.starts_with('y') || answer.starts_with('Y');
    } else {
        say("          Nobody is at the terminal: approved by itself in " +
            std::to_string(decide_by_itself.count() / 1000) + " s.");
        std::this_thread::sleep_for(decide_by_itself);
    }
    auto daemon = control::client::connect(control_, nullptr, answer_time);
    auto const body = json::serialize(json::object{{"user_token", user_token_}});
    auto const target = "/v1/requests/" + percent_encode(request_id) + (approved_ ? "/approve" : "/deny");
    auto const done = daemon ? daemon->call("POST", target, body, answer_time) : result<control::reply>(daemon.error());
    if (!done || !done->ok()) {
        say("          The decision did not get through: " + (done ? done->message() : done.error().detail));
        approved_ = false;
    } else {
        say(approved_ ? "human     approves, with a token of their own."
                      : "human     denies, with a token of their own.");
    }
}

void story::on_event(std::string const& type, json::object const& event) {
    auto const what = what_of(event);
    if (type == "request.pending") {
        say("jitproxy  The API wants a permission: " + for_terminal(what) + ". LumoAuth calls it " +
            text_member(event, "risk_level") + " risk and waits for a human. The agent's request waits too.");
        decide(text_member(event, "request_id"));
    } else if (type == "request.granted") {
        ++granted_;
        say("jitproxy  The API answered 403 and named what is missing: " + for_terminal(what) +
            ". Asked for, granted (" + text_member(event, "risk_level") +
            " risk), sent again with a token for just that.");
    } else if (type == "request.denied") {
        say("jitproxy  Denied: the agent gets the API's own 403.");
    }
}

bool story::run_agent(control::address const& control, std::string const& base_url) {
    control_ = control;
    auto daemon = control::client::connect(control, nullptr, answer_time);
    auto watcher = control::client::connect(control, nullptr, answer_time);
    if (!daemon || !watcher) return false;
    auto const opened = daemon->call("POST", "/v1/sessions?attached=1", R"({"name":"Quarterly review"})", answer_time);
    auto const document = opened ? opened->document() : result<json::value>(opened.error());
    if (!document || !document->is_object() || !opened->ok()) {
        say("No session could be opened: " + (opened ? opened->message() : opened.error().detail));
        return false;
    }
    auto const& session = document->get_object();
    say("jitproxy  Session " + text_member(session, "session_id") + " is open: task " +
        text_member(session, "task_id") + " at LumoAuth.");
    auto const ours = merge_environment(environment_of(session), variables_, false);
    std::vector<std::string> inherited;
    for (char** entry = environ; entry && *entry; ++entry) inherited.emplace_back(*entry);

    piped_process agent;
    auto const script = directory_ / "agent.sh";
    if (!agent.start({"/bin/sh", script.string(), base_url}, command_environment(inherited, ours))) return false;
    std::atomic<bool> done = false;
    std::thread listening([&] {
        static_cast<void>(watcher->events(
            [&](std::string_view type, json::object const& event) {
                events_.push(std::string(type), event);
                return !done;
            },
            [&] { return done.load(); }));
    });
    while (true) {
        while (auto event = events_.pop()) on_event(event->first, event->second);
        auto const line = agent.line(milliseconds{50});
        while (auto event = events_.pop()) on_event(event->first, event->second);  // what led to the line comes first
        if (line) {
            say("agent     " + for_terminal(*line));
            if (line->starts_with("-> ")) statuses_.push_back(line->substr(3));
        } else if (agent.ended()) {
            break;
        }
    }
    done = true;
    listening.join();
    auto const closed = daemon->call("DELETE", "/v1/sessions/" + percent_encode(text_member(session, "session_id")), {},
                                     milliseconds{40'000});
    bool const completed = closed && closed->status == 200;
    say(completed
            ? "jitproxy  The session is closed, and LumoAuth has confirmed it: every token of the task is revoked."
            : "jitproxy  The session's end was not confirmed.");
    return completed;
}

bool story::check_end(std::string const& authorization_server) {
    auto const state = emulator_state(authorization_server);
    if (!state) return false;
    auto const count = [&](std::string_view name) {
        auto const* list = state->if_contains(name);
        return list && list->is_array() ? list->get_array().size() : std::size_t{1};
    };
    say("emulator  Asked for what is left: open tasks " + std::to_string(count("open_tasks")) + ", live tokens " +
        std::to_string(count("live_tokens")) + ".");
    return count("open_tasks") == 0 && count("live_tokens") == 0;
}

int story::tell() {
    auto const begin = std::chrono::steady_clock::now();
    char name[] = "/tmp/jitproxy-demo-XXXXXX";
    if (!mkdtemp(name)) return fail("cannot make a directory below /tmp");
    directory_ = name;
    std::ofstream(directory_ / "agent.sh") << demo_agent_script();

    auto const binary = emulator_binary();
    if (binary.has_parent_path() && access(binary.c_str(), X_OK) != 0)
        return fail("the emulator " + binary.string() +
                    " is not there: install the package jitproxy-emulator, or name its binary with --emulator");
    piped_process emulator;
    auto const urls = start_emulator(emulator, binary, directory_, api_name, client_secret_, user_token_);
    if (!urls) return fail(urls.error());
    auto const base_url = std::string("https://") + api_name + ":" + urls->api_port;
    say("emulator  LumoAuth and a protected API run on this machine: " + base_url);
    auto own = private_daemon::start(configuration(*urls),
                                     {{"default", "agt_demo", make_secret(client_secret_), {}, {}}}, variables_);
    if (!own) return fail(own.error());
    say("jitproxy  A proxy runs in front of them. It has the agent's credentials; the agent has none.");
    say("          The agent's whole code:\n");
    std::string_view script = demo_agent_script();
    while (!script.empty()) {
        auto const end = script.find('\n');
        say("            " + std::string(script.substr(0, end)));
        script.remove_prefix(end + 1);
    }
    say("");
    bool const closed = run_agent(own->control(), base_url);
    bool const confirmed = own->stop();
    bool const clean = check_end(urls->authorization_server);

    std::vector<std::string> const expected{"200", "200", "200", approved_ ? "200" : "403"};
    bool const as_told = statuses_ == expected && asked_human_ && granted_ == (approved_ ? 3U : 2U);
    auto const took = std::chrono::duration_cast<seconds>(std::chrono::steady_clock::now() - begin);
    if (options_.keep) say("          Kept in " + directory_.string());
    if (closed && confirmed && clean && as_told) {
        say("\nFour plain requests, " + std::string(approved_ ? "three permissions" : "two permissions and a denial") +
            ", no token in the agent, none left behind. " + std::to_string(took.count()) + " s.");
        return exit_done;
    }
    say("\nSomething did not go as told.");
    return exit_failed;
}

}  // namespace

int demo(demo_options const& d, variable_lookup const& variables) {
    return story(d, variables).tell();
}

}  // namespace jitproxy::app
