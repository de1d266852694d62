#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/standard_streams.hpp"

int main(int argc, char** argv) {
    jitproxy::app::open_standard_streams();
    return jitproxy::app::main_command(argc, argv);
}
