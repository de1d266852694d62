#include "jitproxy/emulator/world.hpp"

namespace jitproxy::emulator {

world::world(options o, wall_clock real_clock)
    : opts(std::move(o)),
      tokens([this] { return now(); }),
      tasks([this] { return now(); }, tokens, opts.tasks),
      token_rate(opts.token_rate),
      jit_rate(opts.jit_rate),
      real_clock_(std::move(real_clock)) {
    seed();
}

void world::seed() {
    for (auto const& u : opts.users) tokens.add_user(u.token, u.token, u.approver);
    documents = {
        {"doc_9982", "Q4 revenue grew by 12 percent. The board meets on the 14th."},
        {"doc_1001", "Travel policy: book early, take the train."},
        {"doc_1002", "Minutes of the planning meeting, draft."},
        {"doc_old", "An outdated price list, to be deleted."},
    };
}

void world::reset() {
    tasks.clear();
    tokens.clear();
    forms.reset();
    faults.clear();
    record.clear();
    token_rate.reset();
    jit_rate.reset();
    insatiable = 0;
    ahead = seconds{0};
    seed();
}

}  // namespace jitproxy::emulator
