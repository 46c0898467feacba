// Everything the core does, on many odd shapes.
#pragma once

// Prints hashes of all results.
void print_shapes();
