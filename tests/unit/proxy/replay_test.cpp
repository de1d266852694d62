#include "jitproxy/proxy/replay.hpp"
#include "catch.hpp"

using namespace jitproxy::proxy;

namespace {
std::string all(replay_store& store, std::size_t step) {
    std::string scratch(step, '\0');
    std::string out;
    while (out.size() < store.size()) {
        auto const piece = store.read(out.size(), scratch);
        if (piece.empty()) break;
        out.append(piece);
    }
    return out;
}
}  // namespace

TEST_CASE("a body is kept in memory, then in a file, and given up beyond that") {
    replay_limits const limits{10, 100, ""};
    replay_store store(limits);
    CHECK(store.append("0123456789"));
    CHECK(all(store, 4) == "0123456789");
    CHECK(store.append("abc"));  // spills
    CHECK(all(store, 4) == "0123456789abc");
    CHECK(store.append(std::string(87, 'x')));
    CHECK(all(store, 7) == "0123456789abc" + std::string(87, 'x'));
    CHECK(store.intact());
    CHECK_FALSE(store.append("y"));
    CHECK_FALSE(store.intact());
    CHECK(store.read(0, {}).empty());
    CHECK_FALSE(store.append("z"));
}

TEST_CASE("a directory that takes no file makes the body unrepeatable, nothing else") {
    replay_limits const limits{2, 100, "/nowhere/at/all"};
    replay_store store(limits);
    CHECK(store.append("ab"));
    CHECK_FALSE(store.append("c"));
    CHECK_FALSE(store.intact());
}
