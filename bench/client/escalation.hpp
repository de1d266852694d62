// What a whole escalation costs through the proxy, and what its four round trips cost by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

struct escalation_options {
    std::string documents;    // URL below which the emulator's API has its documents
    std::string ca_file;      // who signs for it: the proxy's CA and the emulator's, in one file
    std::string as;           // base URL of the authorization server, plain HTTP
    std::string credentials;  // of the agent, ID:SECRET
    std::uint16_t proxy = 0;
    std::size_t count = 100;
    int by_hand_core = -1;  // where the calls by hand are made from; -1: where all else is
};

// By turns, each for a document that nobody has asked for yet, always on kept connections:
//   through the proxy  one GET; the proxy gets the 403, asks, exchanges, and sends it again
//   by hand            GET (403), POST jit/request, POST jit/request/ID/token, GET (200): their four times added up
// The proxy reaches API and authorization server from its own core, which costs a wake-up across cores each way. Made
// from the same core, the calls by hand are the very round trips that the proxy makes.
// Prints the times as JSON; what lies between two calls by hand is not in them. Returns the exit status.
int run_escalation(escalation_options const& o);

}  // namespace bench
