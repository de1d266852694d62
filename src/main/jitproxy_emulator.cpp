#include "jitproxy/emulator/run.hpp"

int main(int argc, char** argv) {
    return jitproxy::emulator::run(argc, argv);
}
