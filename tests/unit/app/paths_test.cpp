#include "jitproxy/app/paths.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "catch.hpp"
#include "config_fixture.hpp"
#include "directory.hpp"
#include "jitproxy/app/secret_file.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(fs::path const& p) {
    struct stat info {};
    REQUIRE(stat(p.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("state directory: configuration, service manager, XDG, home") {
    config c;
    variables v{{"HOME", "/users/a"}};
    CHECK(*state_directory(c, lookup(v)) == "/users/a/.local/state/jitproxy");
    v["XDG_STATE_HOME"] = "relative";  // to be ignored
    CHECK(*state_directory(c, lookup(v)) == "/users/a/.local/state/jitproxy");
    v["XDG_STATE_HOME"] = "/xdg";
    CHECK(*state_directory(c, lookup(v)) == "/xdg/jitproxy");
    v["STATE_DIRECTORY"] = "/var/lib/jitproxy:/var/lib/other";
    CHECK(*state_directory(c, lookup(v)) == "/var/lib/jitproxy");
    c.state.directory = "/mine";
    CHECK(*state_directory(c, lookup(v)) == "/mine");
}

TEST_CASE("runtime directory: service manager, XDG, /tmp") {
    variables v;
    CHECK(runtime_directory(lookup(v)) == "/tmp/jitproxy-" + std::to_string(getuid()));
    v["XDG_RUNTIME_DIR"] = "/run/user/7";
    CHECK(runtime_directory(lookup(v)) == "/run/user/7/jitproxy");
    v["RUNTIME_DIRECTORY"] = "/run/jitproxy";
    CHECK(runtime_directory(lookup(v)) == "/run/jitproxy");
}

TEST_CASE("configuration file: the user's before the machine's") {
    test::directory const dir;
    variables v{{"HOME", dir.path().string()}};
    auto const none = find_config_file(lookup(v));
    CHECK((none.empty() || none == "/etc/jitproxy/jitproxy.toml"));
    fs::create_directories(dir.path() / ".config/jitproxy");
    std::ofstream(dir.path() / ".config/jitproxy/jitproxy.toml") << "\n";
    CHECK(find_config_file(lookup(v)) == dir.path() / ".config/jitproxy/jitproxy.toml");
    v["XDG_CONFIG_HOME"] = (dir.path() / "other").string();
    CHECK(find_config_file(lookup(v)) != dir.path() / ".config/jitproxy/jitproxy.toml");
}

TEST_CASE("directories are made for their owner alone") {
    test::directory const dir;
    REQUIRE(ensure_directory(dir.path() / "a/b").has_value());
    CHECK(mode_of(dir.path() / "a") == 0700);
    CHECK(mode_of(dir.path() / "a/b") == 0700);
    CHECK(ensure_directory(dir.path() / "a/b").has_value());
    std::ofstream(dir.path() / "file") << "x";
    auto const refused = ensure_directory(dir.path() / "file/below");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == errc::storage);
}

TEST_CASE("a directory that others could have laid as a trap is refused") {
    test::directory const dir;
    CHECK(check_private_directory(dir.path()).has_value());
    fs::create_directory_symlink(dir.path(), dir.path() / "link");
    CHECK_FALSE(check_private_directory(dir.path() / "link").has_value());
    fs::create_directory(dir.path() / "open");
    chmod((dir.path() / "open").c_str(), 0777);
    CHECK_FALSE(check_private_directory(dir.path() / "open").has_value());
    CHECK_FALSE(check_private_directory(dir.path() / "missing").has_value());
    std::ofstream(dir.path() / "file") << "x";
    CHECK_FALSE(check_private_directory(dir.path() / "file").has_value());
}

TEST_CASE("the service's socket may be the service's, and anybody's where root asks") {
    test::directory const dir;
    auto const socket = dir.path() / "control.sock";
    int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    socket.string().copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(bind(fd, reinterpret_cast<sockaddr const*>(&name), sizeof name) == 0);
    close(fd);
    // Root's is everybody's; as another user the test's own will do.
    if (getuid() == 0) {
        REQUIRE(chown(dir.path().c_str(), 4711, 4711) == 0);
        REQUIRE(chown(socket.c_str(), 4711, 4711) == 0);
    }
    uid_t const owner = getuid() == 0 ? 4711 : getuid();
    uid_t const other = owner + 1;
    CHECK(check_service_socket(socket, owner, {}).has_value());
    CHECK(check_service_socket(socket, other, owner).has_value());
    CHECK(check_service_socket(socket, 0, {}).has_value());
    auto const refused = check_service_socket(socket, other, {});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().detail.find("belongs to another user") != std::string::npos);
    CHECK_FALSE(check_service_socket(socket, other, other).has_value());
    chmod(dir.path().c_str(), 0777);
    CHECK_FALSE(check_service_socket(socket, owner, {}).has_value());
    chmod(dir.path().c_str(), 0700);
    fs::remove(socket);
    std::ofstream(socket) << "x";
    CHECK_FALSE(check_service_socket(socket, owner, owner).has_value());
}

TEST_CASE("text files: whole or not at all") {
    test::directory const dir;
    auto const file = dir.path() / "text";
    std::ofstream(file) << std::string(100'000, 'x');
    CHECK(read_text_file(file).value_or("").size() == 100'000);
    CHECK(read_text_file(file, 100'000).has_value());
    CHECK_FALSE(read_text_file(file, 99'999).has_value());
    CHECK(errno == EFBIG);
    CHECK_FALSE(read_text_file(dir.path()).has_value());
    CHECK(errno == EISDIR);
    CHECK_FALSE(read_text_file(dir.path() / "missing").has_value());
    CHECK(errno == ENOENT);
    CHECK(read_text_file("/dev/null") == "");
}

TEST_CASE("control addresses: the variable alone, or the usual places in order") {
    test::directory const dir;
    variables v{{"XDG_RUNTIME_DIR", dir.path().string()}, {"JITPROXY_CONTROL", "127.0.0.1:9"}};
    CHECK(control_addresses(lookup(v)) == std::vector<std::string>{"127.0.0.1:9"});
    v["JITPROXY_CONTROL"] = "unix";  // as in the configuration: the usual places
    CHECK(control_addresses(lookup(v)).size() == 2);
    v.erase("JITPROXY_CONTROL");
    auto const base = "unix:" + dir.path().string() + "/jitproxy/";
    CHECK(control_addresses(lookup(v)) ==
          std::vector<std::string>{base + "control.sock", "unix:/run/jitproxy/control.sock"});
    fs::create_directory(dir.path() / "jitproxy");
    std::ofstream(dir.path() / "jitproxy/run-1.sock") << "";
    CHECK(control_addresses(lookup(v)).back() == base + "run-1.sock");
    std::ofstream(dir.path() / "jitproxy/run-2.sock") << "";  // which of them is meant, nobody knows
    CHECK(control_addresses(lookup(v)).size() == 2);
}

TEST_CASE("secret files: one line end is cut, nothing else") {
    test::directory const dir;
    auto const file = (dir.path() / "secret").string();
    struct row {
        std::string content;
        std::string secret;
    };
    row const rows[] = {{"s3", "s3"}, {"s3\n", "s3"}, {"s3\r\n", "s3"}, {" s3 \n", " s3 "}};
    for (auto const& [content, expected] : rows) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
        auto const got = read_secret_file(file);
        REQUIRE(got.has_value());
        CHECK((*got)->reveal() == expected);
    }
    for (auto const* content : {"s3\n\n", "s3\nmore", "s3\r\nmore\n"}) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
        auto const several = read_secret_file(file);
        REQUIRE_FALSE(several.has_value());
        CHECK(several.error().detail ==
              "the secret file " + file + " has a line break inside; it is to hold the secret alone, on one line");
    }
    std::ofstream(file, std::ios::trunc) << "\n";
    CHECK_FALSE(read_secret_file(file).has_value());
    std::ofstream(file, std::ios::trunc) << std::string(20'000, 'x');
    auto const too_long = read_secret_file(file);
    REQUIRE_FALSE(too_long.has_value());
    CHECK(too_long.error().detail.find("xxx") == std::string::npos);
    CHECK_FALSE(read_secret_file((dir.path() / "missing").string()).has_value());
}

TEST_CASE("the control token is made once, for its owner alone") {
    test::directory const dir;
    auto const file = dir.path() / "state/control.token";
    auto const first = load_or_make_secret(file);
    REQUIRE(first.has_value());
    CHECK((*first)->reveal().size() >= 43);  // 256 bits
    CHECK(mode_of(file) == 0600);
    auto const second = load_or_make_secret(file);
    REQUIRE(second.has_value());
    CHECK((*second)->reveal() == (*first)->reveal());
}
