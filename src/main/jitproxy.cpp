#include "jitproxy/app/commands.hpp"

int main(int argc, char** argv) {
    return jitproxy::app::main_command(argc, argv);
}
