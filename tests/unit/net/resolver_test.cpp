#include "jitproxy/net/resolver.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "dns_server.hpp"

namespace net = jitproxy::net;
using namespace jitproxy::net::test;
using jitproxy::errc;
using jitproxy::milliseconds;
using jitproxy::seconds;

namespace {

struct world {
    asio::io_context io;
    dns_server server{io};
    jitproxy::steady_time now{};  // of the cache
    net::resolver_options options;
    std::optional<net::resolver> resolver;

    explicit world(milliseconds timeout = milliseconds{5000}) {
        options.timeout = timeout;
        options.servers = server.address();
        options.clock = [this] { return now; };
        resolver.emplace(io, options);
    }
    void make_again() { resolver.emplace(io, options); }

    // Runs until `done` holds; the limit is for a defect only.
    template <class Done>
    void run_until(Done done) {
        io.restart();
        auto const limit = std::chrono::steady_clock::now() + seconds{20};
        while (!done()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            io.run_one_for(seconds{1});
        }
    }

    jitproxy::result<net::addresses> ask(std::string const& host) {
        std::optional<jitproxy::result<net::addresses>> answer;
        resolver->resolve(host, [&](jitproxy::result<net::addresses> a) { answer = std::move(a); });
        REQUIRE_FALSE(answer.has_value());  // never from within the call
        run_until([&] { return answer.has_value(); });
        return *answer;
    }
};

// "1.2.3.4 fd00::1" sorted as text, or the error's name.
std::string text_of(jitproxy::result<net::addresses> const& answer) {
    if (!answer) return std::string(jitproxy::name_of(answer.error().code));
    std::vector<std::string> all;
    for (auto const& address : *answer) all.push_back(address.to_string());
    std::sort(all.begin(), all.end());
    std::string text;
    for (auto const& one : all) text += (text.empty() ? "" : " ") + one;
    return text;
}

// Who takes an answer in parts: what was told, "..." behind what is not the whole.
struct parts {
    std::vector<std::string> told;
    bool whole = false;
    auto hear() {
        return [this](jitproxy::result<net::found_addresses> const& found) {
            REQUIRE_FALSE(whole);
            whole = !found || found->whole;
            told.push_back(found ? text_of(found->all) + (found->whole ? "" : " ...") : text_of(found.error()));
        };
    }
};

}  // namespace

TEST_CASE("a literal address answers with itself, and nobody is asked") {
    world w;
    for (char const* literal : {"192.0.2.1", "::1", "2001:db8::1", "127.0.0.1"}) {
        CHECK(text_of(w.ask(literal)) == literal);
    }
    CHECK(w.server.questions.empty());
}

TEST_CASE("localhost and the names below it are loopback, and nobody is asked (RFC 6761)") {
    world w;
    for (char const* host : {"localhost", "api.localhost", "a.b.localhost"}) {
        auto const answer = w.ask(host);
        REQUIRE(answer.has_value());
        REQUIRE(answer->size() == 2);
        CHECK((*answer)[0].to_string() == "127.0.0.1");
        CHECK((*answer)[1].to_string() == "::1");
    }
    CHECK(w.server.questions.empty());
    CHECK(text_of(w.ask("notlocalhost")) == "dns_error");
    CHECK_FALSE(w.server.questions.empty());
}

TEST_CASE("IPv4 and IPv6 addresses come together, each once") {
    world w;
    w.server.host("both.test", {a_record("both.test", "192.0.2.1"), a_record("both.test", "192.0.2.2"),
                                a_record("both.test", "192.0.2.1"), aaaa_record("both.test", "2001:db8::1")});
    w.server.host("four.test", {a_record("four.test", "192.0.2.4")});
    w.server.host("six.test", {aaaa_record("six.test", "2001:db8::6")});
    CHECK(text_of(w.ask("both.test")) == "192.0.2.1 192.0.2.2 2001:db8::1");
    CHECK(text_of(w.ask("four.test")) == "192.0.2.4");
    CHECK(text_of(w.ask("six.test")) == "2001:db8::6");
    CHECK(w.server.asked("both.test", type_a) == 1);
    CHECK(w.server.asked("both.test", type_aaaa) == 1);
}

TEST_CASE("an alias is followed") {
    world w;
    w.server.host("www.test", {cname_record("www.test", "origin.test"), a_record("origin.test", "192.0.2.9")});
    CHECK(text_of(w.ask("www.test")) == "192.0.2.9");
}

TEST_CASE("what a name server says no to is dns_error, and the detail names the host") {
    world w;
    w.server.host("nothing.test", dns_answer{false, 3, {}});
    w.server.host("empty.test", dns_answer{});
    w.server.host("broken.test", dns_answer{false, 2, {}});
    w.server.host("refused.test", dns_answer{false, 5, {}});
    struct row {
        char const* host;
        char const* part;
    };
    for (auto const& [host, part] : {row{"nothing.test", "no host named"}, row{"empty.test", "has no address"},
                                     row{"broken.test", "failed"}, row{"refused.test", "failed"}}) {
        INFO(host);
        auto const answer = w.ask(host);
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().code == errc::dns_error);
        INFO(answer.error().detail);
        CHECK(answer.error().detail.find(host) != std::string::npos);
        CHECK(answer.error().detail.find(part) != std::string::npos);
    }
}

TEST_CASE("names that DNS can't carry fail without a question") {
    world w;
    for (auto const& host : {std::string("a..test"), std::string(64, 'x') + ".test", std::string(300, 'x')}) {
        INFO(host);
        CHECK(text_of(w.ask(host)) == "dns_error");
    }
    CHECK(w.server.questions.empty());
}

TEST_CASE("a name is never looked up with a search list") {
    world w;
    CHECK(text_of(w.ask("single")) == "dns_error");
    for (auto const& question : w.server.questions) CHECK(question.find("single/") == 0);
}

TEST_CASE("a silent name server is dns_timeout when the whole time is over") {
    world w(milliseconds{150});
    w.server.host("silent.test", dns_answer{true, 0, {}});
    auto const before = std::chrono::steady_clock::now();
    auto const answer = w.ask("silent.test");
    auto const took = std::chrono::steady_clock::now() - before;
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == errc::dns_timeout);
    CHECK(answer.error().detail.find("silent.test") != std::string::npos);
    CHECK(took >= milliseconds{130});
    CHECK(took < milliseconds{5000});
    CHECK(w.server.asked("silent.test", type_a) >= 2);  // asked again

    SECTION("it is not remembered: the next one asks again") {
        w.server.host("silent.test", {a_record("silent.test", "192.0.2.1")});
        CHECK(text_of(w.ask("silent.test")) == "192.0.2.1");
    }
    SECTION("others are not held up by it") {
        w.server.host("fine.test", {a_record("fine.test", "192.0.2.1")});
        std::vector<std::string> order;
        w.resolver->resolve("silent.test", [&](auto const& a) { order.push_back(text_of(a)); });
        w.resolver->resolve("fine.test", [&](auto const& a) { order.push_back(text_of(a)); });
        w.run_until([&] { return order.size() == 2; });
        CHECK(order == std::vector<std::string>{"192.0.2.1", "dns_timeout"});
    }
}

TEST_CASE("a name server that is not there is an error") {
    world w;
    boost::asio::ip::udp::socket closed(w.io, {boost::asio::ip::address_v4::loopback(), 0});
    w.options.servers = "127.0.0.1:" + std::to_string(closed.local_endpoint().port());
    closed.close();
    w.options.timeout = milliseconds{300};
    w.make_again();
    auto const text = text_of(w.ask("any.test"));
    CHECK((text == "dns_error" || text == "dns_timeout"));
}

TEST_CASE("a second name server is asked where the first one fails") {
    world w;
    dns_server broken(w.io);
    broken.host("host.test", dns_answer{false, 2, {}});
    w.server.host("host.test", {a_record("host.test", "192.0.2.1")});
    w.options.servers = broken.address() + "," + w.server.address();
    w.make_again();
    CHECK(text_of(w.ask("host.test")) == "192.0.2.1");
    CHECK(broken.asked("host.test", type_a) == 1);
}

TEST_CASE("a name server that never answers for IPv6 costs the resolution delay only (RFC 8305 3)") {
    world w(milliseconds{10'000});
    w.server.on("half.test", type_a, dns_answer{false, 0, {a_record("half.test", "192.0.2.1")}});
    w.server.on("half.test", type_aaaa, dns_answer{true, 0, {}});
    CHECK(text_of(w.ask("half.test")) == "192.0.2.1");
    CHECK(w.server.asked("half.test", type_a) == 1);
    CHECK(w.server.asked("half.test", type_aaaa) == 1);  // it was not waited for: it is asked again after 3 s
    CHECK(text_of(w.ask("half.test")) == "192.0.2.1");   // nor is it by those who come while it is still open
    CHECK(w.server.asked("half.test", type_a) == 1);
}

TEST_CASE("what one family alone has said is kept for a short time, where the other was silent or failed") {
    world w(milliseconds{300});
    w.server.on("half.test", type_a, dns_answer{false, 0, {a_record("half.test", "192.0.2.1")}});
    w.server.on("half.test", type_aaaa, dns_answer{GENERATE(true, false), 2, {}});
    parts heard;
    w.resolver->resolve_in_parts("half.test", heard.hear());
    w.run_until([&] { return heard.whole; });
    CHECK(heard.told.back() == "192.0.2.1");
    w.now += seconds{4};
    CHECK(text_of(w.ask("half.test")) == "192.0.2.1");
    CHECK(w.server.asked("half.test", type_a) == 1);
    w.now += seconds{1};
    w.server.host("half.test", {a_record("half.test", "192.0.2.1"), aaaa_record("half.test", "2001:db8::1")});
    CHECK(text_of(w.ask("half.test")) == "192.0.2.1 2001:db8::1");
}

TEST_CASE("who takes parts gets IPv6 at once and IPv4 after the delay, and then the whole (RFC 8305 3)") {
    world w;
    auto const six = dns_answer{false, 0, {aaaa_record("parts.test", "2001:db8::1")}};
    auto const four = dns_answer{false, 0, {a_record("parts.test", "192.0.2.1")}};
    auto held = [](dns_answer answer) {
        answer.held = true;
        return answer;
    };
    parts heard;
    parts later;
    std::string both;
    SECTION("IPv6 first") {
        w.server.on("parts.test", type_aaaa, six);
        w.server.on("parts.test", type_a, held(four));
        w.resolver->resolve_in_parts("parts.test", heard.hear());
        w.resolver->resolve("parts.test", [&](auto const& a) { both = text_of(a); });
        w.run_until([&] { return !heard.told.empty(); });
        CHECK(heard.told == std::vector<std::string>{"2001:db8::1 ..."});
    }
    SECTION("IPv4 first") {
        w.server.on("parts.test", type_aaaa, held(six));
        w.server.on("parts.test", type_a, four);
        w.resolver->resolve_in_parts("parts.test", heard.hear());
        w.run_until([&] { return !heard.told.empty(); });
        CHECK(heard.told == std::vector<std::string>{"192.0.2.1 ..."});
        w.resolver->resolve("parts.test", [&](auto const& a) { both = text_of(a); });
        w.run_until([&] { return !both.empty(); });
        CHECK(both == "192.0.2.1");
        both = "192.0.2.1 2001:db8::1";
    }
    w.resolver->resolve_in_parts("parts.test", later.hear());  // who comes now gets the part too
    w.run_until([&] { return !later.told.empty(); });
    CHECK(later.told == heard.told);
    CHECK_FALSE(heard.whole);
    w.server.release();
    w.run_until([&] { return heard.whole && later.whole && !both.empty(); });
    CHECK(heard.told.back() == "192.0.2.1 2001:db8::1");
    CHECK(heard.told.size() == 2);
    CHECK(later.told == heard.told);
    CHECK(both == "192.0.2.1 2001:db8::1");
    CHECK(text_of(w.ask("parts.test")) == both);  // kept
    CHECK(w.server.asked("parts.test", type_a) == 1);
}

TEST_CASE("no part is given where nothing was found, and no second call where everything is known") {
    world w;
    w.server.host("both.test", {a_record("both.test", "192.0.2.1"), aaaa_record("both.test", "2001:db8::1")});
    w.server.host("nothing.test", dns_answer{false, 3, {}});
    w.server.on("four.test", type_aaaa, dns_answer{});
    w.server.on("four.test", type_a, dns_answer{false, 0, {a_record("four.test", "192.0.2.4")}});
    (void)w.ask("both.test");
    for (auto const& [host, told] : {std::pair{"both.test", "192.0.2.1 2001:db8::1"},
                                     {"nothing.test", "dns_error"},
                                     {"192.0.2.7", "192.0.2.7"},
                                     {"localhost", "127.0.0.1 ::1"}}) {
        INFO(host);
        parts heard;
        w.resolver->resolve_in_parts(host, heard.hear());
        w.run_until([&] { return heard.whole; });
        CHECK(heard.told == std::vector<std::string>{told});
    }
    parts four;  // IPv4 may have been first
    w.resolver->resolve_in_parts("four.test", four.hear());
    w.run_until([&] { return four.whole; });
    CHECK(four.told.back() == "192.0.2.4");
}

TEST_CASE("what stands in the hosts file is the whole answer, and nobody is asked") {
    world w;
    std::ifstream file("/etc/hosts");
    std::size_t names = 0;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string text;
        words >> text;
        boost::system::error_code no_address;
        auto const address = asio::ip::make_address(text, no_address).to_string();
        if (no_address) continue;
        for (std::string name; words >> name;) {
            if (name.find("localhost") != std::string::npos) continue;
            INFO(name);
            ++names;
            auto const answer = w.ask(name);
            REQUIRE(answer.has_value());
            CHECK(text_of(answer).find(address) != std::string::npos);
        }
    }
    if (names == 0) WARN("there is no name in the hosts file here: not tried");
    CHECK(w.server.questions.empty());
}

TEST_CASE("a name server that never answers for IPv4 costs the whole time, but no answer") {
    world w(milliseconds{400});
    w.server.on("half.test", type_a, dns_answer{true, 0, {}});
    w.server.on("half.test", type_aaaa, dns_answer{false, 0, {aaaa_record("half.test", "2001:db8::1")}});
    CHECK(text_of(w.ask("half.test")) == "2001:db8::1");
}

TEST_CASE("an answer is kept for its TTL, and asked for again after it") {
    world w;
    w.server.host("ttl.test", {a_record("ttl.test", "192.0.2.1", 30), aaaa_record("ttl.test", "2001:db8::1", 20)});
    CHECK(text_of(w.ask("ttl.test")) == "192.0.2.1 2001:db8::1");
    w.server.host("ttl.test", {a_record("ttl.test", "192.0.2.7", 30)});
    w.now += seconds{19};
    CHECK(text_of(w.ask("ttl.test")) == "192.0.2.1 2001:db8::1");
    CHECK(w.server.asked("ttl.test", type_a) == 1);
    w.now += seconds{1};  // the shorter of the two is over
    CHECK(text_of(w.ask("ttl.test")) == "192.0.2.7");
    CHECK(w.server.asked("ttl.test", type_a) == 2);
}

TEST_CASE("an alias with a shorter life than its target shortens the answer's") {
    world w;
    w.server.host("www.test", {cname_record("www.test", "origin.test", 5), a_record("origin.test", "192.0.2.9", 600)});
    w.ask("www.test");
    w.now += seconds{5};
    w.ask("www.test");
    CHECK(w.server.asked("www.test", type_a) == 2);
}

TEST_CASE("a TTL is cut to the longest allowed, and an answer without one is not kept") {
    world w;
    w.server.host("long.test", {a_record("long.test", "192.0.2.1", 86'400)});
    w.server.host("zero.test", {a_record("zero.test", "192.0.2.1", 0)});
    w.ask("long.test");
    w.now += seconds{299};
    w.ask("long.test");
    CHECK(w.server.asked("long.test", type_a) == 1);
    w.now += seconds{1};
    w.ask("long.test");
    CHECK(w.server.asked("long.test", type_a) == 2);
    w.ask("zero.test");
    w.ask("zero.test");
    CHECK(w.server.asked("zero.test", type_a) == 2);
}

TEST_CASE("that there is no such name is remembered for a short time; trouble is not") {
    world w;
    w.server.host("nothing.test", dns_answer{false, 3, {}});
    w.server.host("empty.test", dns_answer{});
    for (char const* host : {"nothing.test", "empty.test"}) {
        INFO(host);
        CHECK(text_of(w.ask(host)) == "dns_error");
        w.now += seconds{4};
        CHECK(text_of(w.ask(host)) == "dns_error");
        CHECK(w.server.asked(host, type_a) == 1);
        w.now += seconds{1};
        CHECK(text_of(w.ask(host)) == "dns_error");
        CHECK(w.server.asked(host, type_a) == 2);
    }
    w.server.host("broken.test", dns_answer{false, 2, {}});
    CHECK(text_of(w.ask("broken.test")) == "dns_error");
    w.server.host("broken.test", {a_record("broken.test", "192.0.2.1")});
    CHECK(text_of(w.ask("broken.test")) == "192.0.2.1");
}

TEST_CASE("the cache is bounded: what was used longest ago goes first") {
    world w;
    w.options.cache_entries = 2;
    w.make_again();
    for (char const* host : {"a.test", "b.test", "c.test"}) w.server.host(host, {a_record(host, "192.0.2.1")});
    w.ask("a.test");
    w.ask("b.test");
    w.ask("a.test");  // now b is the oldest
    w.ask("c.test");
    w.ask("a.test");
    CHECK(w.server.asked("a.test", type_a) == 1);
    w.ask("b.test");
    CHECK(w.server.asked("b.test", type_a) == 2);

    SECTION("no cache at all works too") {
        w.options.cache_entries = 0;
        w.make_again();
        w.ask("c.test");
        w.ask("c.test");
        CHECK(w.server.asked("c.test", type_a) == 3);
    }
}

TEST_CASE("equal names asked for at the same time are asked once, and all are answered in order") {
    world w;
    w.server.host("same.test", {a_record("same.test", "192.0.2.1", 0)});
    w.server.host("other.test", {a_record("other.test", "192.0.2.2", 0)});
    std::vector<std::string> answers;
    for (int i = 0; i < 50; ++i) {
        w.resolver->resolve("same.test",
                            [&answers, i](auto const& a) { answers.push_back(std::to_string(i) + ' ' + text_of(a)); });
    }
    w.resolver->resolve("other.test", [&](auto const& a) { answers.push_back("other " + text_of(a)); });
    w.run_until([&] { return answers.size() == 51; });
    CHECK(w.server.asked("same.test", type_a) == 1);
    CHECK(w.server.asked("same.test", type_aaaa) == 1);
    std::vector<std::string> same;
    for (auto const& a : answers)
        if (a.find("other") == std::string::npos) same.push_back(a);
    REQUIRE(same.size() == 50);
    for (int i = 0; i < 50; ++i) CHECK(same[static_cast<std::size_t>(i)] == std::to_string(i) + " 192.0.2.1");
    CHECK(answers.size() == 51);
}

TEST_CASE("many names at once") {
    world w;
    std::size_t good = 0;
    std::size_t all = 0;
    constexpr int names = 100;
    for (int i = 0; i < names; ++i) {
        auto const host = "h" + std::to_string(i) + ".test";
        auto const address = "192.0.2." + std::to_string(i % 250);
        w.server.host(host, {a_record(host, address)});
        w.resolver->resolve(host, [&, address](auto const& a) {
            ++all;
            good += text_of(a) == address ? 1 : 0;
        });
    }
    w.run_until([&] { return all == names; });
    CHECK(good == names);
}

TEST_CASE("after the destructor no callback runs") {
    world w(milliseconds{100});
    bool ran = false;
    auto const note = [&](auto const&) { ran = true; };
    w.server.host("silent.test", dns_answer{true, 0, {}});
    w.server.host("fine.test", {a_record("fine.test", "192.0.2.1")});
    SECTION("with an answer that was on its way to the caller") {
        w.resolver->resolve("127.0.0.1", note);
        w.resolver->resolve("localhost", note);
    }
    SECTION("with questions under way") {
        w.resolver->resolve("silent.test", note);
        w.resolver->resolve("fine.test", note);
    }
    SECTION("with a question whose answer has arrived") {
        w.resolver->resolve("fine.test", note);
        w.run_until([&] { return w.server.questions.size() == 2; });
    }
    w.resolver.reset();
    w.io.restart();
    w.io.run_for(milliseconds{250});
    CHECK_FALSE(ran);
}

TEST_CASE("a callback may ask again, and may destroy the resolver") {
    world w;
    w.server.host("a.test", {a_record("a.test", "192.0.2.1", 0)});
    std::string second;
    w.resolver->resolve(
        "a.test", [&](auto const&) { w.resolver->resolve("a.test", [&](auto const& a) { second = text_of(a); }); });
    w.run_until([&] { return !second.empty(); });
    CHECK(second == "192.0.2.1");
    CHECK(w.server.asked("a.test", type_a) == 2);

    bool gone = false;
    bool late = false;
    w.resolver->resolve("a.test", [&](auto const&) {
        w.resolver.reset();
        gone = true;
    });
    w.resolver->resolve("a.test", [&](auto const&) { late = true; });
    w.run_until([&] { return gone; });
    w.io.restart();
    w.io.poll();
    CHECK_FALSE(late);
}

TEST_CASE("the resolver leaves no work behind: the io_context ends once everything is answered") {
    asio::io_context io;
    net::resolver_options options;
    options.servers = "127.0.0.1:9";
    std::optional<net::resolver> resolver(std::in_place, io, options);
    int answers = 0;
    resolver->resolve("127.0.0.1", [&](auto const&) { ++answers; });
    io.run();
    CHECK(answers == 1);
}

TEST_CASE("name servers that can't be read are an error at the start") {
    asio::io_context io;
    net::resolver_options options;
    options.servers = "not an address";
    CHECK_THROWS_AS(net::resolver(io, options), jitproxy::failure);
}

TEST_CASE("name servers are read again when the system's configuration has changed") {
    world w;
    // resolv.conf has no ports: these servers need port 53 of two loopback addresses.
    std::optional<dns_server> first;
    std::optional<dns_server> second;
    try {
        first.emplace(w.io, asio::ip::udp::endpoint(asio::ip::make_address("127.0.53.1"), 53));
        second.emplace(w.io, asio::ip::udp::endpoint(asio::ip::make_address("127.0.53.2"), 53));
    } catch (boost::system::system_error const&) {
        WARN("port 53 can't be had here: not tried");
        return;
    }
    first->host("host.test", {a_record("host.test", "192.0.2.1", 0)});
    second->host("host.test", {a_record("host.test", "192.0.2.2", 0)});
    auto const file = std::filesystem::temp_directory_path() / ("jitproxy-resolv-" + std::to_string(::getpid()));
    std::ofstream(file) << "nameserver 127.0.53.1\n";
    w.options.servers.clear();
    w.options.configuration = file.string();
    w.make_again();
    CHECK(text_of(w.ask("host.test")) == "192.0.2.1");

    first->host("slow.test", dns_answer{true, 0, {}});
    std::string slow;
    w.resolver->resolve("slow.test", [&](auto const& a) { slow = text_of(a); });
    w.run_until([&] { return first->asked("slow.test", type_a) == 1; });
    std::ofstream(file) << "# another network\nnameserver 127.0.53.2\n";
    w.now += seconds{4};
    CHECK(text_of(w.ask("host.test")) == "192.0.2.1");  // it is not looked at for every lookup
    w.now += seconds{1};
    CHECK(text_of(w.ask("host.test")) == "192.0.2.2");
    // What was under way goes on: the old server gets its second question, and answers it.
    first->host("slow.test", {a_record("slow.test", "192.0.2.3")});
    w.run_until([&] { return !slow.empty(); });
    CHECK(slow == "192.0.2.3");

    std::filesystem::remove(file);
    w.now += seconds{5};
    CHECK(text_of(w.ask("host.test")) == "192.0.2.2");  // a file that is gone changes nothing
}
