#include "jitproxy/base/id.hpp"

#include <set>

#include "catch.hpp"
#include "jitproxy/base/encoding.hpp"

using namespace jitproxy;

TEST_CASE("tokens hold as many random bytes as asked for") {
    for (std::size_t bytes : {0, 1, 16, 32, 300}) {
        auto const decoded = decode_base64(random_token(bytes));
        REQUIRE(decoded);
        CHECK(decoded->size() == bytes);
    }
    CHECK(random_token(16).find_first_of("+/=") == std::string::npos);
}

TEST_CASE("ids are a prefix and 16 lower-case base32 characters") {
    auto const id = random_id("ses");
    REQUIRE(id.size() == 4 + 16);
    CHECK(id.substr(0, 4) == "ses_");
    CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 4) == std::string::npos);
}

TEST_CASE("no two are equal, and every character is used") {
    std::set<std::string> ids, tokens;
    std::set<char> characters;
    for (int i = 0; i < 1000; ++i) {
        auto const id = random_id("x");
        characters.insert(id.begin() + 2, id.end());
        ids.insert(id);
        tokens.insert(random_token(16));
    }
    CHECK(ids.size() == 1000);
    CHECK(tokens.size() == 1000);
    CHECK(characters.size() == 32);
}
