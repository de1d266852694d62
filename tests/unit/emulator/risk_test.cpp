#include "jitproxy/emulator/risk.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

TEST_CASE("risk follows from type, actions and privileges") {
    struct row {
        char const* details;
        risk_level expected;
    };
    row const rows[] = {
        {R"({"type":"document","actions":["read"]})", risk_level::low},
        {R"({"type":"financial_report","actions":["read","list"]})", risk_level::low},
        {R"({"type":"document","actions":["READ"]})", risk_level::low},
        {R"({"type":"document","actions":["write"]})", risk_level::medium},
        {R"({"type":"document","actions":["create"]})", risk_level::medium},
        {R"({"type":"document","actions":["read","update"]})", risk_level::medium},
        {R"({"type":"document","actions":["never_heard_of"]})", risk_level::medium},
        {R"({"type":"document"})", risk_level::medium},
        {R"({"type":"document","actions":[]})", risk_level::medium},
        {R"({"type":"document","actions":["read","delete"]})", risk_level::high},
        {R"({"type":"document","actions":["admin"]})", risk_level::high},
        {R"({"type":"job","actions":["execute"]})", risk_level::high},
        {R"({"type":"document","actions":["read"],"privileges":["admin"]})", risk_level::high},
        {R"({"type":"sensitive_document","actions":["read"]})", risk_level::high},
        {R"({"type":"payment","actions":["read"]})", risk_level::critical},
        {R"({"type":"payment_initiation","actions":["initiate"]})", risk_level::critical},
        {R"({"type":"user_data","actions":["read"]})", risk_level::critical},
        {R"({"type":"Credentials","actions":["read"]})", risk_level::critical},
    };
    for (auto const& r : rows) {
        INFO(r.details);
        CHECK(name_of(classify(json::parse(r.details).as_object(), 0)) == name_of(r.expected));
    }
}

TEST_CASE("repeated denials make everything critical") {
    auto const read = json::parse(R"({"type":"document","actions":["read"]})").as_object();
    CHECK(classify(read, 1) == risk_level::low);
    CHECK(classify(read, 2) == risk_level::critical);
}

TEST_CASE("a human is needed from high on") {
    CHECK_FALSE(needs_human(risk_level::low));
    CHECK_FALSE(needs_human(risk_level::medium));
    CHECK(needs_human(risk_level::high));
    CHECK(needs_human(risk_level::critical));
}
