#include "workers/zygote.h"

int main(int argc, char** argv) { return mahavishnu::workers::zygote_main(argc, argv); }
