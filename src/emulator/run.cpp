#include "jitproxy/emulator/run.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "jitproxy/base/log.hpp"
#include "jitproxy/emulator/http_server.hpp"
#include "jitproxy/emulator/tls.hpp"

namespace jitproxy::emulator {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

// Readers see the whole file or none.
void write_atomically(fs::path const& path, std::string const& text) {
    auto const temporary = fs::path{path.string() + ".new"};
    {
        std::ofstream out{temporary, std::ios::binary | std::ios::trunc};
        out << text;
        out.close();
        if (!out) throw std::runtime_error("cannot write " + temporary.string());
    }
    fs::rename(temporary, path);
}

std::vector<std::string> certificate_names(options const& o) {
    std::vector<std::string> names{"localhost", "127.0.0.1", "::1", "api.acme-corp.test", "*.acme-corp.test"};
    names.insert(names.end(), o.api_names.begin(), o.api_names.end());
    return names;
}

struct url_line {
    char const* member;
    char const* what;
    std::string url;
};

json::object ready_json(world const& w, std::vector<url_line> const& urls, std::string const& ca_file) {
    json::object o{{"pid", ::getpid()},
                   {"tenant", w.opts.tenant},
                   {"org_id", w.opts.org_id},
                   {"client_id", w.opts.agents.front().id},
                   {"ca_file", nullptr}};
    for (auto const* member : {"as_url", "as_tls_url", "api_url", "api_tls_url"}) o[member] = nullptr;
    for (auto const& line : urls) o[line.member] = line.url;
    if (!ca_file.empty()) o["ca_file"] = ca_file;
    return o;
}

void serve(options o) {
    world w{std::move(o)};
    auto const& opts = w.opts;
    auto const identity = make_tls_identity(certificate_names(opts));
    auto tls = make_tls_context(identity);
    w.ca_pem = identity.ca_pem;
    std::string ca_file;
    if (!opts.state_dir.empty()) {
        fs::create_directories(opts.state_dir);
        ca_file = (fs::absolute(opts.state_dir) / "emulator-ca.pem").string();
        write_atomically(ca_file, identity.ca_pem);
    }

    as_service as{w};
    api_service api{w};
    asio::io_context io{1};  // after all that its coroutines use
    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](auto, int) { io.stop(); });
    std::signal(SIGPIPE, SIG_IGN);

    std::vector<url_line> urls;
    urls.push_back({"as_url", "authorization server", listen(io, *opts.as, "--listen", as, nullptr, opts.quiet)});
    if (opts.as_tls)
        urls.push_back(
            {"as_tls_url", "authorization server", listen(io, *opts.as_tls, "--as-tls", as, &tls, opts.quiet)});
    if (opts.api)
        urls.push_back({"api_url", "protected API", listen(io, *opts.api, "--api", api, nullptr, opts.quiet)});
    if (opts.api_tls)
        urls.push_back({"api_tls_url", "protected API", listen(io, *opts.api_tls, "--api-tls", api, &tls, opts.quiet)});
    for (auto const& line : urls) std::cout << line.what << " at " << line.url << '\n';
    if (!ca_file.empty()) std::cout << "CA certificate in " << ca_file << '\n';
    if (!opts.ready_file.empty())
        write_atomically(opts.ready_file, json::serialize(ready_json(w, urls, ca_file)) + "\n");
    std::cout << "ready" << std::endl;
    io.run();
}

}  // namespace

int run(int argc, char const* const* argv) {
    int exit_code = 0;
    auto o = parse_options(argc, argv, exit_code);
    if (!o) return exit_code;
    log::configure(log::level::info, log::format::text);
    try {
        serve(std::move(*o));
        return 0;
    } catch (std::exception const& e) {
        std::cerr << "jitproxy-emulator: " << e.what() << '\n';
        return 1;
    }
}

}  // namespace jitproxy::emulator
