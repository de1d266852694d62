// The load client of bench/run; its modes are in load.hpp and escalation.hpp. Loopback only.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "escalation.hpp"
#include "load.hpp"
#include "url.hpp"

namespace {

constexpr auto usage = R"(usage: jitproxy-bench-client load|idle|escalation URL [OPTION...]
  URL                  http://HOST:PORT/PATH or https://HOST:PORT/PATH; HOST is only named, this machine is dialled
  --proxy PORT         through the forward proxy on that port: absolute form, or CONNECT for https
  --server PORT        to the reverse proxy on that port
  --ca FILE            who may have signed the certificate of https
  -c N                 connections (1)
  load:       -d SECONDS (1)   --fresh (a connection for each request)   --upload BYTES   --expect BYTES
  escalation: -n N (100)   --as URL (the authorization server's base)   --credentials ID:SECRET
              --by-hand-core N (calls by hand are made from that core: the proxy's; else from where this runs)
)";

[[noreturn]] void wrong_usage(std::string const& what) {
    std::fprintf(stderr, "%s\n%s", what.c_str(), usage);
    std::exit(2);
}

struct arguments {
    std::string mode, url, ca, as, credentials;
    unsigned proxy = 0, server = 0;
    std::size_t upload = 0, count = 100;
    int by_hand_core = -1;
    std::optional<std::size_t> expect;
    bench::load_options load;
};

arguments parse(int argc, char** argv) {
    if (argc < 3) wrong_usage("mode and URL are missing");
    arguments a;
    a.mode = argv[1];
    a.url = argv[2];
    for (int i = 3; i < argc; ++i) {
        std::string_view const name = argv[i];
        if (name == "--fresh") {
            a.load.fresh = true;
            continue;
        }
        if (++i == argc) wrong_usage("a value is missing for " + std::string{name});
        std::string const value = argv[i];
        auto const number = [&] { return std::strtoul(value.c_str(), nullptr, 10); };
        if (name == "--proxy")
            a.proxy = static_cast<unsigned>(number());
        else if (name == "--server")
            a.server = static_cast<unsigned>(number());
        else if (name == "--ca")
            a.ca = value;
        else if (name == "-c")
            a.load.connections = number();
        else if (name == "-d")
            a.load.seconds = std::strtod(value.c_str(), nullptr);
        else if (name == "--upload")
            a.upload = number();
        else if (name == "--expect")
            a.expect = number();
        else if (name == "-n")
            a.count = number();
        else if (name == "--as")
            a.as = value;
        else if (name == "--credentials")
            a.credentials = value;
        else if (name == "--by-hand-core")
            a.by_hand_core = static_cast<int>(number());
        else
            wrong_usage("unknown option " + std::string{name});
    }
    return a;
}

bench::plan make_plan(arguments const& a) {
    auto const url = bench::parse_url(a.url);
    if (!url) wrong_usage("not a URL with a port and a path: " + a.url);
    bench::plan p;
    p.port = static_cast<std::uint16_t>(a.proxy ? a.proxy : a.server ? a.server : url->port);
    p.expect = a.expect;
    if (url->tls) p.tls = bench::make_tls(a.ca);
    if (url->tls && a.proxy)
        p.connect = "CONNECT " + url->authority + " HTTP/1.1\r\nHost: " + url->authority + "\r\n\r\n";
    auto const& target = a.proxy && !url->tls ? a.url : url->path;
    p.request = (a.upload ? "POST " : "GET ") + target + " HTTP/1.1\r\nHost: " + url->authority +
                "\r\nUser-Agent: jitproxy-bench\r\nAccept: */*\r\n";
    if (a.upload)
        p.request += "Content-Type: application/octet-stream\r\nContent-Length: " + std::to_string(a.upload) + "\r\n";
    p.request += "\r\n" + std::string(a.upload, 'u');
    return p;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    auto const a = parse(argc, argv);
    if (a.mode == "load") {
        bench::run_load(make_plan(a), a.load);
    } else if (a.mode == "idle") {
        bench::run_idle(make_plan(a), a.load.connections);
    } else if (a.mode == "escalation") {
        return bench::run_escalation(
            {a.url, a.ca, a.as, a.credentials, static_cast<std::uint16_t>(a.proxy), a.count, a.by_hand_core});
    } else {
        wrong_usage("unknown mode " + a.mode);
    }
    return 0;
}
