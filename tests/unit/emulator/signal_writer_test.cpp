#include "jitproxy/emulator/signal_writer.hpp"

#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

namespace {

json::object const need{{"type", "document"}, {"actions", json::array{"read"}}, {"note", ">>>>>>??????"}};

std::string parameter(std::string const& challenge, std::string const& name) {
    auto const at = challenge.find(name + "=");
    if (at == std::string::npos) return {};
    auto value = challenge.substr(at + name.size() + 1);
    if (value.starts_with('"')) return value.substr(1, value.find('"', 1) - 1);
    return value;
}

json::value decoded(std::string const& text) {
    auto const bytes = decode_base64(text);
    REQUIRE(bytes.has_value());
    return json::parse(*bytes);
}

}  // namespace

TEST_CASE("LumoAuth's dialects carry the details in the header") {
    struct row {
        char const* name;
        bool array;
        char const* alphabet;  // characters that must be there
        char const* never;     // and that must not
    };
    row const rows[] = {{"lumoauth", false, "+/", "-_"},
                        {"lumoauth-array", true, "+/", "-_"},
                        {"base64url", false, "-_", "+/"},
                        {"nopad", false, "+/", "-_="},
                        {"disagree", false, "+/", "-_"}};
    for (auto const& r : rows) {
        INFO(r.name);
        auto const answer = write_signal(need, *dialect_named(r.name));
        auto const header = fixture::header(answer, "Insufficient-Authorization-Details");
        CHECK(answer.status == 403);
        CHECK(fixture::header(answer, "WWW-Authenticate") == "Bearer error=\"insufficient_authorization_details\"");
        for (char const* c = r.alphabet; *c; ++c) CHECK(header.find(*c) != std::string::npos);
        for (char const* c = r.never; *c; ++c) CHECK(header.find(*c) == std::string::npos);
        json::value const expected = r.array ? json::value(json::array{need}) : json::value(need);
        CHECK(decoded(header) == expected);
        auto const body = fixture::body_of(answer);
        CHECK(body.at("error") == "insufficient_authorization_details");
        if (std::string_view{r.name} == "disagree")
            CHECK(body.at("authorization_details_hint") != expected);
        else
            CHECK(body.at("authorization_details_hint") == expected);
    }
}

TEST_CASE("the IETF's dialects") {
    json::value const list = json::array{need};
    SECTION("-00: in the challenge") {
        auto const a = write_signal(need, dialect::ietf_00);
        CHECK(a.status == 403);
        auto const challenge = fixture::header(a, "WWW-Authenticate");
        CHECK(parameter(challenge, "error") == "insufficient_authorization_details");
        CHECK(decoded(parameter(challenge, "authorization_details")) == list);
    }
    SECTION("-01: in the body") {
        auto const a = write_signal(need, dialect::ietf_01);
        CHECK(a.status == 403);
        CHECK(fixture::body_of(a).at("authorization_details") == list);
        CHECK_FALSE(fixture::body_of(a).contains("authorization_hint"));
    }
    SECTION("-03: with a hint") {
        auto const a = write_signal(need, dialect::ietf_03);
        CHECK(fixture::body_of(a).at("authorization_details") == list);
        CHECK(fixture::body_of(a).contains("authorization_hint"));
    }
    SECTION("-05: 401 with a remediation, quoted or not") {
        for (auto const form : {dialect::ietf_05, dialect::ietf_05_token}) {
            auto const a = write_signal(need, form);
            CHECK(a.status == 401);
            auto const challenge = fixture::header(a, "WWW-Authenticate");
            CHECK(parameter(challenge, "error") == "insufficient_authorization");
            CHECK((challenge.find("remediation=\"") != std::string::npos) == (form == dialect::ietf_05));
            auto const remediation = decoded(parameter(challenge, "authorization_remediation")).as_object();
            CHECK(remediation.at("authorization_details") == list);
            CHECK_FALSE(fixture::text(remediation, "authorization_reference").empty());
        }
    }
    SECTION("none of them has LumoAuth's header") {
        for (auto const* name : {"ietf-00", "ietf-01", "ietf-03", "ietf-05", "ietf-05-token"}) {
            auto const a = write_signal(need, *dialect_named(name));
            CHECK(fixture::header(a, "Insufficient-Authorization-Details") == "(absent)");
        }
    }
}

TEST_CASE("odd dialects") {
    CHECK_FALSE(dialect_named("latin").has_value());
    auto const a = write_signal(need, dialect::broken);
    CHECK_FALSE(decode_base64(fixture::header(a, "Insufficient-Authorization-Details")).has_value());
}
