#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "config_fixture.hpp"
#include "directory.hpp"
#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/config_value.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;

namespace {

std::string read(std::string const& path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// The source directory: what is above the build directory that this binary is in.
std::string source_directory() {
    auto directory = std::filesystem::read_symlink("/proc/self/exe");
    while (directory.has_relative_path()) {
        directory = directory.parent_path();
        if (std::filesystem::exists(directory / "config/minimal.toml")) return directory;
    }
    FAIL("the build directory is not below the source directory");
    return {};
}

// With JITPROXY_UPDATE_FILES=1 the file is written anew instead of compared.
std::string file_made_of(std::string const& path, std::string const& text) {
    if (std::getenv("JITPROXY_UPDATE_FILES")) std::ofstream(path) << text;
    return read(path);
}

}  // namespace

TEST_CASE("the effective configuration reads back as itself") {
    auto const first =
        load({.text = "[[api]]\nhosts = [\"a.example\"]\ntypes = [\"x\", \"y \\\"z\\\"\"]\n[limits]\n"
                      "replay_memory = 1000\nhead_bytes = \"32KiB\"\n[egress]\nconnect_ports = [\"any\"]\n"});
    REQUIRE(first.ok());
    auto const text = render_config(first.value);
    auto const second = load({.text = text});
    for (auto const& p : second.problems) FAIL_CHECK(p.text());
    CHECK(render_config(second.value) == text);
    CHECK(text.find("hush-hush") == std::string::npos);
    CHECK(text.find("head_bytes = \"32KiB\"") != std::string::npos);
    CHECK(text.find("replay_memory = 1000\n") != std::string::npos);
}

TEST_CASE("config/jitproxy.toml has every key with its default") {
    auto const text = file_made_of(source_directory() + "/config/jitproxy.toml", render_example());
    CHECK(text == render_example());
    auto const loaded = load({.text = text});
    for (auto const& p : loaded.problems) FAIL_CHECK(p.text());
    auto expected = load({.text = "[[api]]\nhosts = [\"api.example.com\"]\n"});
    CHECK(render_config(loaded.value) == render_config(expected.value));
    for (auto const& key : config_keys()) {
        INFO(key.table << "." << key.name);
        auto const line = std::string(key.name) + " = ";
        CHECK((text.find("\n" + line) != std::string::npos || text.find("\n# " + line) != std::string::npos));
    }
}

TEST_CASE("config/minimal.toml is good") {
    auto const loaded = load({.text = read(source_directory() + "/config/minimal.toml"),
                              .vars = {{"AGENT_CLIENT_SECRET", "x"}, {"HOME", "/nonexistent"}}});
    for (auto const& p : loaded.problems) FAIL_CHECK(p.text());
    CHECK(loaded.value.apis.size() == 1);
}

TEST_CASE("config/sidecar.toml is good, and serves one agent in another container") {
    test::directory const secrets;
    std::ofstream(secrets.file("client_secret")) << "x\n";
    auto text = read(source_directory() + "/config/sidecar.toml");
    auto const where = text.find("/run/secrets");
    REQUIRE(where != std::string::npos);
    text.replace(where, std::string_view("/run/secrets").size(), secrets.path().string());
    auto const loaded = load({.text = text, .vars = {{"HOME", "/nonexistent"}}});
    for (auto const& p : loaded.problems) FAIL_CHECK(p.text());
    CHECK(loaded.value.listen.control.find(':') != std::string::npos);
    CHECK_FALSE(loaded.value.listen.control_token_file.empty());
    CHECK(loaded.value.ca.public_directory == "/ca");
}

TEST_CASE("config/hardened.toml is good, and lets nothing through that it does not name") {
    auto const text = read(source_directory() + "/config/hardened.toml");
    auto const loaded = load({.text = text, .vars = {{"AGENT_CLIENT_SECRET", "x"}, {"HOME", "/nonexistent"}}});
    for (auto const& p : loaded.problems) FAIL_CHECK(p.text());
    CHECK(loaded.warnings.empty());
    auto const& c = loaded.value;
    CHECK(c.egress.default_action == "deny");
    CHECK(c.session.default_mode == "required");
    REQUIRE(c.apis.size() == 1);
    CHECK_FALSE(c.apis[0].types.empty());
    CHECK(c.apis[0].upstream_tls == "always");
    config const usual;
    CHECK(c.limits.connections < usual.limits.connections);
    CHECK(c.limits.replay_file < usual.limits.replay_file);
    CHECK(c.approval.requests_open < usual.approval.requests_open);
}

TEST_CASE("each line of the effective configuration says where its value is from") {
    auto vars = credentials();
    vars["LUMOAUTH_URL"] = "https://eu.app.lumoauth.dev";
    auto const text =
        "[log]\nlevel = \"debug\"\n[authorization_server]\norg_id = \"org_1\"\n[[api]]\n"
        "hosts = [\"a.example\"]\n";
    auto const loaded = load({.text = text,
                              .vars = vars,
                              .flags = {{"listen", "proxy", "127.0.0.1:3128", "--listen"}},
                              .protect = {"b.example:8443"}});
    for (auto const& p : loaded.problems) FAIL_CHECK(p.text());
    auto const shown = render_config(loaded.value, loaded.origins);
    INFO(shown);
    for (auto const* line : {
             "level = \"debug\"  # /etc/test.toml:2\n",
             "format = \"auto\"  # default\n",
             "url = \"https://eu.app.lumoauth.dev\"  # variable LUMOAUTH_URL\n",
             "tenant = \"acme-corp\"  # variable LUMOAUTH_TENANT\n",
             "org_id = \"\"  # variable LUMOAUTH_TENANT\n",  // it picks the other style, and empties this
             "proxy = [\"127.0.0.1:3128\"]  # flag --listen\n",
             "hosts = [\"a.example\"]  # /etc/test.toml:6\n",
             "ports = [443]  # default\n",
             "hosts = [\"b.example\"]  # flag --protect\n",
             "ports = [8443]  # flag --protect\n",
         })
        CHECK(shown.find(line) != std::string::npos);
    auto const again = load({.text = shown});
    for (auto const& p : again.problems) FAIL_CHECK(p.text());
    CHECK(render_config(again.value) == render_config(loaded.value));
    CHECK(toml_comment("a\nb = 1\x7f") == "# a?b = 1?");
}

TEST_CASE("docs/configuration.md holds the reference") {
    // What stands before the reference is written by hand.
    auto const file = source_directory() + "/docs/configuration.md";
    auto const intro = read(file).substr(0, read(file).find("## [listen]"));
    CHECK(file_made_of(file, intro + render_reference()) == intro + render_reference());
}

TEST_CASE("sizes") {
    CHECK(parse_size("1024") == 1024);
    CHECK(parse_size("64KiB") == 65536);
    CHECK(parse_size("1GiB") == 1ULL << 30);
    CHECK(parse_size("7B") == 7);
    for (auto const* wrong :
         {"", "KiB", "1KB", "1.5MiB", "-1", "1 MiB", "99999999999999999999", "18446744073709551615GiB"})
        CHECK_FALSE(parse_size(wrong).has_value());
    CHECK(format_size(65536) == "64KiB");
    CHECK(format_size(1000) == "1000");
    CHECK(format_size(0) == "0");
}

TEST_CASE("strings are quoted as TOML wants it") {
    CHECK(toml_string("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000A\"");
}

TEST_CASE("the nearest name") {
    std::string_view const names[] = {"level", "format", "client_secret_file"};
    CHECK(nearest_name("levle", names) == "level");
    CHECK(nearest_name("client_secret_flie", names) == "client_secret_file");
    CHECK(nearest_name("xyzzy", names).empty());
}
