// Every kind of what comes in several: activations, losses, optimizers, elements and orders of
// rows.
#pragma once

// Prints hashes of all results on this many threads. Throws where what should be the same bits are
// not: rows in several orders, and a step in two halves.
void print_kinds(int threads);
