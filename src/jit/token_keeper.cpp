#include "jitproxy/jit/token_keeper.hpp"

#include <algorithm>
#include <utility>

namespace jitproxy::jit {

namespace {

constexpr seconds default_life{300};
constexpr seconds longest_life = std::chrono::hours(24);
// Tokens that live shorter than this are fetched when they are wanted: renewing them ahead of time would run into the
// token endpoint's limit of 30 requests a minute (protocol.md section 2).
constexpr seconds shortest_renewed{10};
constexpr seconds short_life{60};
// After a failure, requests make us try again no sooner than this, whatever the pauses of our own attempts are.
constexpr milliseconds demand_pause{2000};
constexpr seconds refusal_pause{15};

milliseconds renew_after(seconds life, seconds margin) {
    milliseconds const most = milliseconds(life) * 4 / 5;
    if (life < short_life) return most;
    return std::max<milliseconds>(std::min<milliseconds>(most, life - margin), milliseconds(life) / 2);
}

int seconds_until(steady_time then, steady_time now) {
    auto const left = std::chrono::ceil<seconds>(then - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 1, 3600));
}

}  // namespace

seconds life_of(access_token const& token) noexcept {
    return token.expires_in <= seconds(0) ? default_life : std::min(token.expires_in, longest_life);
}

milliseconds unused_end(seconds life, seconds expiry_margin) noexcept {
    return std::min<milliseconds>(expiry_margin, milliseconds(life) / 10);
}

token_machine::action token_machine::fetch() {
    fetching_ = true;
    wake_at_.reset();
    return {.fetch = true};
}

token_machine::action token_machine::wanted(steady_time now) {
    if (usable(now)) return {.answer = true};
    if (fetching_) return {};
    if (last_error_ && now < not_before_) return {.answer = true};
    return fetch();
}

token_machine::action token_machine::refused(std::uint64_t generation, steady_time now) {
    if (generation == generation_ && now >= believe_after_) {
        token_.reset();
        believe_after_ = now + refusal_pause;
    }
    return wanted(now);
}

token_machine::action token_machine::fetched(access_token token, steady_time now) {
    auto const life = life_of(token);
    fetching_ = mended_meanwhile_ = false;
    last_error_.reset();
    pauses_.reset();
    token_ = std::move(token.value);
    ++generation_;
    usable_until_ = now + life - unused_end(life, margin_);
    wake_at_.reset();
    if (life >= shortest_renewed) wake_at_ = now + renew_after(life, margin_);
    return {.answer = true, .changed = true};
}

token_machine::action token_machine::fetch_failed(error what, steady_time now) {
    fetching_ = false;
    // Where the AS has said when to come back, that holds for the new credentials too.
    if (std::exchange(mended_meanwhile_, false) && what.retry_after == 0) return fetch();
    auto const pause = pauses_.next(what.retry_after);
    wake_at_ = now + pause;
    not_before_ = now + (what.retry_after > 0 ? pause : std::min(pause, demand_pause));
    last_error_ = std::move(what);
    return {.answer = true};
}

token_machine::action token_machine::woke(steady_time now) {
    if (fetching_ || !wake_at_ || now < *wake_at_) return {};
    return fetch();
}

token_machine::action token_machine::mended(steady_time now) {
    mended_meanwhile_ = fetching_;
    return last_error_ && !fetching_ ? fetch() : wanted(now);
}

result<bearer> token_machine::current(steady_time now) const {
    if (usable(now)) return bearer{token_, generation_};
    if (!last_error_) return make_error(errc::as_unreachable, "there is no agent token yet");
    auto what = *last_error_;
    if (what.code != errc::as_rejected) what.retry_after = seconds_until(not_before_, now);
    return what;
}

token_machine::state token_machine::current_state(steady_time now) const noexcept {
    if (usable(now)) return state::live;
    if (fetching_) return state::fetching;
    return last_error_ ? state::failed : state::none;
}

token_keeper::token_keeper(scheduler& clock, seconds expiry_margin, fetch_function fetch, std::function<void()> changed,
                           jitter_function jitter)
    : clock_(clock),
      fetch_(std::move(fetch)),
      changed_(std::move(changed)),
      jitter_(std::move(jitter)),
      machine_(expiry_margin),
      timer_(clock),
      outbox_(clock),
      self_(std::make_shared<token_keeper*>(this)) {}

token_keeper::~token_keeper() = default;

void token_keeper::get(callback<bearer> done) {
    waiting_.push_back(std::move(done));
    perform(machine_.wanted(clock_.now()));
}

void token_keeper::renew(std::uint64_t refused_generation, callback<bearer> done) {
    waiting_.push_back(std::move(done));
    perform(machine_.refused(refused_generation, clock_.now()));
}

void token_keeper::mended() {
    perform(machine_.mended(clock_.now()));
}

void token_keeper::perform(token_machine::action what) {
    if (what.changed && changed_) changed_();
    if (what.answer) answer_waiting();
    if (auto const at = machine_.wake_at()) {
        auto pause = std::chrono::ceil<milliseconds>(*at - clock_.now());
        if (jitter_ && machine_.last_error()) pause = jitter_(pause);
        timer_.arm(pause, [this] { perform(machine_.woke(clock_.now())); });
    } else {
        timer_.cancel();
    }
    if (!what.fetch) return;
    fetch_(while_alive(self_, [this](result<access_token> answer) {
        if (answer.has_value() && !answer->value)
            answer = make_error(errc::as_malformed, "the token answer holds no token");
        if (answer.has_error()) {
            perform(machine_.fetch_failed(answer.error(), clock_.now()));
            return;
        }
        expires_at_ = clock_.wall_now() + life_of(*answer);
        perform(machine_.fetched(std::move(*answer), clock_.now()));
    }));
}

void token_keeper::answer_waiting() {
    auto const now = clock_.now();
    for (auto& done : std::exchange(waiting_, {}))
        outbox_.post([done = std::move(done), answer = machine_.current(now)] { done(answer); });
}

bearer token_keeper::current() const {
    auto const token = machine_.current(clock_.now());
    return token.has_value() ? *token : bearer{};
}

token_machine::state token_keeper::state() const {
    return machine_.current_state(clock_.now());
}

std::optional<wall_time> token_keeper::expires_at() const {
    return state() == token_machine::state::live ? expires_at_ : std::nullopt;
}

std::string token_keeper::last_error() const {
    return machine_.last_error() ? machine_.last_error()->detail : std::string{};
}

}  // namespace jitproxy::jit
