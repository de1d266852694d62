#include "escalation.hpp"

#include <sched.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "connection.hpp"
#include "url.hpp"

namespace bench {

namespace {

struct answer {
    int status = 0;
    std::string body;
    double microseconds = 0;
};

[[noreturn]] void give_up(std::string const& what) {
    throw std::runtime_error(what);
}

// Moves this thread to a core until the end of the scope.
class stay_on_core {
  public:
    explicit stay_on_core(int core) {
        if (core < 0) return;
        if (sched_getaffinity(0, sizeof before_, &before_) != 0) give_up("this thread's cores are unknown");
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(core), &one);
        moved_ = sched_setaffinity(0, sizeof one, &one) == 0;
        if (!moved_) give_up("cannot run on core " + std::to_string(core));
    }
    ~stay_on_core() {
        if (moved_) sched_setaffinity(0, sizeof before_, &before_);
    }
    stay_on_core(stay_on_core const&) = delete;
    stay_on_core& operator=(stay_on_core const&) = delete;

  private:
    cpu_set_t before_{};
    bool moved_ = false;
};

// One kept connection and calls on it, one after the other.
class caller {
  public:
    caller(std::uint16_t port, SSL_CTX* tls, std::string const& connect_to = {}) : wire_(port, wire::kind::blocking) {
        if (!connect_to.empty()) {
            auto const opened = exchange("CONNECT " + connect_to + " HTTP/1.1\r\nHost: " + connect_to + "\r\n\r\n",
                                         response{response::expects::no_body});
            if (opened.status != 200) give_up("CONNECT " + connect_to + ": " + std::to_string(opened.status));
        }
        if (!tls) return;
        wire_.start_tls(tls);
        if (wire_.handshake() != io::moved) give_up("TLS handshake failed");
    }

    answer call(std::string const& request) { return exchange(request, response{}); }

  private:
    answer exchange(std::string const& request, response r) {
        std::array<char, 65536> piece;
        auto const begin = now();
        for (std::size_t sent = 0, n = 0; sent < request.size(); sent += n)
            if (wire_.write(std::string_view{request}.substr(sent), n) != io::moved) give_up("connection lost");
        for (;;) {
            std::size_t n = 0;
            if (wire_.read(piece, n) != io::moved) give_up("connection closed instead of an answer");
            auto const progress = r.feed({piece.data(), n});
            if (progress == response::progress::broken) give_up("answer not understood");
            if (progress == response::progress::more) continue;
            std::chrono::duration<double, std::micro> const took = now() - begin;
            return {r.status(), std::string{r.last_piece()}, took.count()};
        }
    }

    wire wire_;
};

// A member of the emulator's JSON that is a plain string.
std::string member(answer const& a, std::string const& name) {
    auto const key = "\"" + name + "\":\"";
    auto const at = a.body.find(key);
    if (at == std::string::npos)
        give_up("no " + name + " in an answer with status " + std::to_string(a.status) + ": " + a.body);
    auto const begin = at + key.size();
    return a.body.substr(begin, a.body.find('"', begin) - begin);
}

void must_be(answer const& a, int status, char const* what) {
    if (a.status != status) give_up(std::string{what} + ": " + std::to_string(a.status) + " " + a.body);
}

std::string head(std::string const& method, std::string const& target, std::string const& host) {
    return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: jitproxy-bench\r\nAccept: */*\r\n";
}

// The agent that has the permission logic in its own code.
class by_hand {
  public:
    by_hand(escalation_options const& o, url_parts const& api, url_parts const& as, SSL_CTX* tls)
        : api_at_(api), as_at_(as), api_(api.port, tls), as_(as.port, nullptr) {
        auto const colon = o.credentials.find(':');
        agent_ = member(to_as("/oauth/token", "application/x-www-form-urlencoded", "",
                              "grant_type=client_credentials&client_id=" + o.credentials.substr(0, colon) +
                                  "&client_secret=" + o.credentials.substr(colon + 1)),
                        "access_token");
        task_ = member(to_as("/jit/task", "application/json", agent_, "{}"), "task_id");
    }

    void create(std::string const& document) {
        auto const token = permission(document, "write");
        auto const stored = to_api("PUT", document, token);
        must_be(stored, stored.status == 201 ? 201 : 200, "PUT");
    }

    std::array<double, 4> read(std::string const& document) {
        auto const refused = to_api("GET", document, agent_);
        must_be(refused, 403, "GET with the agent's token");
        std::array<double, 4> times{refused.microseconds};
        auto const token = permission(document, "read", &times);
        auto const served = to_api("GET", document, token);
        must_be(served, 200, "GET with the scoped token");
        times[3] = served.microseconds;
        return times;
    }

  private:
    answer to_api(std::string const& method, std::string const& document, std::string const& bearer) {
        return api_.call(head(method, api_at_.path + document, api_at_.authority) + "Authorization: Bearer " + bearer +
                         (method == "PUT" ? "\r\nContent-Length: 4\r\n\r\ntext" : "\r\n\r\n"));
    }

    answer to_as(std::string const& path, std::string const& type, std::string const& bearer, std::string const& body) {
        auto text = head("POST", as_at_.path + path, as_at_.authority);
        if (!bearer.empty()) text += "Authorization: Bearer " + bearer + "\r\n";
        if (!type.empty()) text += "Content-Type: " + type + "\r\n";
        return as_.call(text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }

    std::string permission(std::string const& document, std::string const& action,
                           std::array<double, 4>* times = nullptr) {
        auto const origin = std::string{api_at_.tls ? "https://" : "http://"} + api_at_.authority;
        auto const body = R"({"task_id":")" + task_ + R"(","authorization_details":{"type":"document","actions":[")" +
                          action + R"("],"identifier":")" + document + R"(","locations":[")" + origin +
                          R"("]},"justification":"GET )" + origin + api_at_.path + document +
                          R"(","requested_ttl":300})";
        auto const asked = to_as("/jit/request", "application/json", agent_, body);
        if (member(asked, "status") != "approved") give_up("not approved: " + asked.body);
        auto const exchanged = to_as("/jit/request/" + member(asked, "request_id") + "/token", "", agent_, "");
        must_be(exchanged, 200, "token");
        if (times) (*times)[1] = asked.microseconds;
        if (times) (*times)[2] = exchanged.microseconds;
        return member(exchanged, "access_token");
    }

    url_parts api_at_, as_at_;
    caller api_, as_;
    std::string agent_, task_;
};

void print(char const* name, std::vector<double> const& values, char const* end) {
    std::printf("\"%s\": [", name);
    for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.1f", i ? ", " : "", values[i]);
    std::printf("]%s", end);
}

void measure(escalation_options const& o, url_parts const& api, url_parts const& as) {
    auto const tls = api.tls ? make_tls(o.ca_file) : tls_context{};
    by_hand hand(o, api, as, tls.get());
    caller proxy(o.proxy, tls.get(), api.tls ? api.authority : std::string{});
    auto const target = api.tls ? api.path : o.documents;
    std::array<std::vector<double>, 4> calls;
    std::vector<double> through;
    for (std::size_t i = 0; i < o.count; ++i) {
        auto const for_proxy = "proxy_" + std::to_string(i);
        auto const for_hand = "hand_" + std::to_string(i);
        std::array<double, 4> times{};
        {
            stay_on_core const there{o.by_hand_core};
            hand.create(for_proxy);
            hand.create(for_hand);
            times = hand.read(for_hand);
        }
        auto const served = proxy.call(head("GET", target + for_proxy, api.authority) + "\r\n");
        must_be(served, 200, "GET through the proxy");
        for (std::size_t k = 0; k < times.size(); ++k) calls[k].push_back(times[k]);
        through.push_back(served.microseconds);
    }
    std::printf("{");
    print("refused", calls[0], ", ");
    print("request", calls[1], ", ");
    print("token", calls[2], ", ");
    print("served", calls[3], ", ");
    print("through", through, "}\n");
}

}  // namespace

int run_escalation(escalation_options const& o) {
    auto const api = parse_url(o.documents);
    auto const as = parse_url(o.as + "/");
    try {
        if (!api || !as || o.proxy == 0) give_up("URL, --as and --proxy are needed");
        auto at = *as;
        at.path.pop_back();
        measure(o, *api, at);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "escalation: %s\n", e.what());
        return 1;
    }
    return 0;
}

}  // namespace bench
