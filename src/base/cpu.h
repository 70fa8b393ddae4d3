/* Which instruction set this CPU has: what code that is compiled once for each of them picks by. */
#ifndef ELBO_BASE_CPU_H
#define ELBO_BASE_CPU_H

typedef enum elbo_isa { ELBO_ISA_BASELINE, ELBO_ISA_AVX2, ELBO_ISA_AVX512, ELBO_ISAS } elbo_isa;

/* The widest that this CPU has and elbo was compiled for. */
elbo_isa elbo_cpu_isa(void);

#endif
