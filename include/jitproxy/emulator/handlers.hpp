// What answers requests: functions from a whole request to a whole reply.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/emulator/message.hpp"
#include "jitproxy/emulator/world.hpp"

namespace jitproxy::emulator {

enum class endpoint : std::uint8_t {
    token,
    revoke,
    introspect,
    task,
    request,
    status,
    jit_token,
    complete,
    evaluate,
    pending,
    approve,
    deny,
    admin,    // below /emulator/
    unknown,  // 404
};
[[nodiscard]] std::string_view name_of(endpoint e) noexcept;

struct as_route {
    endpoint to = endpoint::unknown;
    std::string id;      // the path's parameter, decoded
    std::string base;    // the style the caller used: /t/acme-corp or /orgs/org_123
    std::string origin;  // where the caller reached us, for absolute URLs in answers
    bool method_allowed = true;
};
[[nodiscard]] as_route route_as(request const& r, options const& o);

[[nodiscard]] reply handle_oauth(world& w, request const& r, as_route const& to);  // token, revoke, introspect
[[nodiscard]] reply handle_jit(world& w, request const& r, as_route const& to);    // all below /jit/
[[nodiscard]] reply handle_admin(world& w, request const& r);
[[nodiscard]] reply handle_api(world& w, request const& r);

// The four above, with routing, rate limits, counting and records.
[[nodiscard]] reply handle_as(world& w, request const& r, as_route const& to);

// JSON views, shared by the admin API and the JIT handlers.
[[nodiscard]] json::object permission_json(permission const& p);
[[nodiscard]] json::object task_json(task const& t);
[[nodiscard]] json::object state_json(world const& w);

// What the API needs of this request beyond a live token, if anything; the token decides about the next step.
[[nodiscard]] reply refuse_dead_token(request const& r);

// One listener's view of the above, for the server.
class service {
  public:
    virtual ~service() = default;
    // The answer that needs no body: to Expect, and where early answers are asked for. nullopt: read the body.
    [[nodiscard]] virtual std::optional<reply> before_body(request const& r) = 0;
    [[nodiscard]] virtual std::optional<fault> take_fault(request const& r) = 0;
    [[nodiscard]] virtual reply handle(request const& r) = 0;
    // A request that is answered without handle(): by a fault, or since it is no HTTP.
    virtual void not_handled(request const& r, unsigned status) = 0;
};

class as_service final : public service {
  public:
    explicit as_service(world& w) : world_(w) {}
    std::optional<reply> before_body(request const&) override { return std::nullopt; }
    std::optional<fault> take_fault(request const& r) override;
    reply handle(request const& r) override;
    void not_handled(request const& r, unsigned status) override;

  private:
    world& world_;
};

class api_service final : public service {
  public:
    explicit api_service(world& w) : world_(w) {}
    std::optional<reply> before_body(request const& r) override;
    std::optional<fault> take_fault(request const& r) override;
    reply handle(request const& r) override;
    void not_handled(request const& r, unsigned status) override;

  private:
    world& world_;
};

}  // namespace jitproxy::emulator
