// The world around the task manager, moved by commands alone.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "reference.hpp"
#include "server.hpp"
#include "shrink.hpp"

namespace jitproxy::jit::model {

class world final : private snapshot_sink, private event_sink {
  public:
    world();
    ~world() override;
    world(world const&) = delete;
    world& operator=(world const&) = delete;

    void run(command const& c);
    // The faults cease, everything is closed, the process starts again, and the time of what nobody knows runs out.
    void finish();

    [[nodiscard]] std::optional<violation> const& found() const { return ref_.found; }
    [[nodiscard]] std::map<std::string, int> const& seen() const { return ref_.seen; }

  private:
    struct slot {
        std::string name;
        std::string session_id;
    };
    // snapshot_sink and event_sink
    void publish(snapshot_ptr s) override { ref_.published(s); }
    void drain(std::string const& session_id, std::function<void()> done) override;
    void withdraw(std::string const& session_id) override { ref_.withdrawn(session_id); }
    void on_event(event const& e) override;

    void perform(command const& c);
    void open(opening how, int parent, naming agent);
    void ask(std::string const& session_id, int need, asking how);
    void give_up(int n);
    void decide_through(bool approve, int n);
    void decide(int n, int how);
    void hint(int n);
    // Writes down which agent the session is of; false: nobody may open it.
    bool note_agent(slot const& s, std::string const& parent, naming agent);
    void end_task(int n, bool suspended);
    void kill_bearers(token_kind kind, int agent);
    void close(std::string const& session_id);
    void set_traffic(std::string const& session_id, bool on);
    void refuse_bearer(std::string const& session_id, int which);
    void write(int records);
    void flow(int variant);
    void shut_down(bool resume);
    void start(bool resume);
    void end_life(std::size_t still_written, bool lost, bool processed);
    void release(std::string const& session_id);
    bool calm_down(bool const& over);  // until it is over, and nothing is under way

    [[nodiscard]] std::string session_of(int n) const;  // "ses_none" where there is none
    [[nodiscard]] std::vector<std::string> undecided() const;
    caller_ptr expect(std::string what, std::string session_id);
    template <class T>
    callback<T> listener(caller_ptr const& c, std::function<void(T const&)> well = nullptr);

    jitproxy::test::manual_clock clock_;
    model_journal journal_;
    reference ref_{clock_, journal_};
    model_server server_{clock_, ref_};
    std::shared_ptr<keyed_hash const> hash_ = std::make_shared<keyed_hash const>(make_secret("key"));
    policy::api_ptr api_;
    std::unique_ptr<task_manager> manager_;
    std::vector<slot> slots_;
    std::map<std::string, std::vector<std::function<void()>>> draining_;  // by session
    bool down_ = false;                                                   // shut_down has called back
    bool resume_next_ = false;
};

// Runs it from a new world to the end; the first breach. `seen`: what happened is added to it.
[[nodiscard]] std::optional<violation> run_sequence(sequence const& s, std::map<std::string, int>* seen = nullptr);

}  // namespace jitproxy::jit::model
