// What can be done with many connections at once.
#pragma once

#include <cstddef>

#include "connection.hpp"

namespace bench {

struct load_options {
    std::size_t connections = 1;
    double seconds = 1;
    bool fresh = false;  // a new connection for each request
};

// Requests on each connection, one after the other. Prints "begin" when every connection has been answered once and the
// caches are warm, and one line of JSON `seconds` later: what was answered in between.
void run_load(plan const& p, load_options const& o);

// One request on each connection, then none. Prints how many are open once all are; keeps them until standard input
// ends, then prints how many still are.
void run_idle(plan const& p, std::size_t connections);

}  // namespace bench
