/* Fused contractions over bands: what NumPy can only do with many passes over memory.
 *
 * Every function has its NumPy oracle in contractions.py, which states formula, shapes and source; tests
 * compare the two. Arrays come as C-contiguous buffers, complex numbers as pairs of doubles. The module
 * needs nothing but Python.h, so it builds wherever Python has a compiler; without one the oracles serve.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* One library for all processors: the loader picks the widest vectors that the machine has. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORIZED
#endif

typedef Py_ssize_t Index;

/* ---- v_a = dH_a + i (e_n - e_m) A_a, and r_a = -i v_a/(e_n - e_m) between multiplets ---- */
VECTORIZED static void
interband(Index count, Index size, const double *energy, const int64_t *label, const double *rotated,
          double *velocity, double *position, double *gap, double *inverse)
{
    for (Index k = 0; k < count; k++) {
        const double *e = energy + k * size;
        const int64_t *l = label + k * size;
        for (Index n = 0; n < size; n++) {
            for (Index m = 0; m < size; m++) {
                gap[m] = e[n] - e[m];
                inverse[m] = l[n] != l[m] ? 1.0 / gap[m] : 0.0;
            }
            const double *row = rotated + 12 * (k * size + n) * size;
            double *v = velocity + 6 * (k * size + n) * size;
            double *r = position + 6 * (k * size + n) * size;
            for (Index a = 0; a < 3; a++) {
                const double *slope = row + 2 * a * size, *centre = row + 2 * (3 + a) * size;
                double *va = v + 2 * a * size, *ra = r + 2 * a * size;
#pragma omp simd
                for (Index m = 0; m < size; m++) {
                    double real = slope[2 * m] - gap[m] * centre[2 * m + 1];
                    double imag = slope[2 * m + 1] + gap[m] * centre[2 * m];
                    va[2 * m] = real;
                    va[2 * m + 1] = imag;
                    ra[2 * m] = imag * inverse[m];
                    ra[2 * m + 1] = -real * inverse[m];
                }
            }
        }
    }
}

/* ---- T3 from P = Theta v: with E_nm = P_nm conj(w_nm), w = v/((e_n - e_m)^2 + eta^2), the value of band n
 * is the column sum minus the row sum of Im E, so P^dagger is never formed ---- */
VECTORIZED static void
conventional(Index count, Index size, Index observables, double squared_broadening, const double *energy,
             const int64_t *label, const double *product, const double *velocity, double *values,
             double *scratch)
{
    const Index rows = 3 * observables;
    double *weight = scratch, *field = weight + size, *real = field + 6 * size, *imag = real + size;
    double *columns = imag + size;
    for (Index k = 0; k < count; k++) {
        const double *e = energy + k * size;
        const int64_t *l = label + k * size;
        double *out = values + k * size * rows * 3;
        memset(columns, 0, sizeof(double) * rows * 3 * size);
        for (Index n = 0; n < size; n++) {
            for (Index m = 0; m < size; m++) {
                double gap = e[n] - e[m];
                weight[m] = l[n] != l[m] ? 1.0 / (gap * gap + squared_broadening) : 0.0;
            }
            const double *v = velocity + 6 * (k * size + n) * size;
            for (Index b = 0; b < 3; b++)
                for (Index m = 0; m < size; m++) {
                    field[2 * b * size + m] = v[2 * (b * size + m)] * weight[m];
                    field[(2 * b + 1) * size + m] = v[2 * (b * size + m) + 1] * weight[m];
                }
            const double *p = product + 2 * (k * size + n) * rows * size;
            for (Index row = 0; row < rows; row++) {
                for (Index m = 0; m < size; m++) {
                    real[m] = p[2 * (row * size + m)];
                    imag[m] = p[2 * (row * size + m) + 1];
                }
                for (Index b = 0; b < 3; b++) {
                    const double *fr = field + 2 * b * size, *fi = fr + size;
                    double *column = columns + (row * 3 + b) * size, sum = 0.0;
#pragma omp simd reduction(+ : sum)
                    for (Index m = 0; m < size; m++) {
                        double element = imag[m] * fr[m] - real[m] * fi[m];
                        sum += element;
                        column[m] += element;
                    }
                    out[(n * rows + row) * 3 + b] = -sum;
                }
            }
        }
        for (Index n = 0; n < size; n++)
            for (Index component = 0; component < 3 * rows; component++)
                out[n * rows * 3 + component] += columns[component * size + n];
    }
}

/* ---- values of the members of a multiplet become their mean ---- */
static void
share(Index count, Index size, Index components, const int64_t *label, double *values)
{
    for (Index k = 0; k < count; k++) {
        const int64_t *l = label + k * size;
        double *v = values + k * size * components;
        for (Index first = 0, last; first < size; first = last) {
            for (last = first + 1; last < size && l[last] == l[first];)
                last++;
            if (last - first == 1)
                continue;
            for (Index c = 0; c < components; c++) {
                double sum = 0.0;
                for (Index n = first; n < last; n++)
                    sum += v[n * components + c];
                for (Index n = first; n < last; n++)
                    v[n * components + c] = sum / (double)(last - first);
            }
        }
    }
}

/* x += sign * sum_m a_m conj(b_m) */
VECTORIZED static void
overlap(Index size, const double *a, const double *b, double sign, double *x)
{
    double real = 0.0, imag = 0.0;
#pragma omp simd reduction(+ : real, imag)
    for (Index m = 0; m < size; m++) {
        real += a[2 * m] * b[2 * m] + a[2 * m + 1] * b[2 * m + 1];
        imag += a[2 * m + 1] * b[2 * m] - a[2 * m] * b[2 * m + 1];
    }
    x[0] += sign * real;
    x[1] += sign * imag;
}

typedef struct {
    Index size, observables, stacked;
    const double *position, *rotated, *observable, *half_rotated, *states;
} Bands;

/* F_c between two bands of one multiplet at one k; all pointers are those of this k */
static void
curvature_element(const Bands *at, Index i, Index j, double *element)
{
    static const Index first[3] = {1, 2, 0}, second[3] = {2, 0, 1};
    const Index size = at->size, needed = 6 + at->observables;
    for (Index c = 0; c < 3; c++) {
        double forward[2] = {0, 0}, backward[2] = {0, 0};
        const Index pair[2] = {first[c], second[c]};
        const double *r[2][2], *x[2][2];
        for (Index s = 0; s < 2; s++) {
            r[0][s] = at->position + 2 * (i * 3 + pair[s]) * size;
            r[1][s] = at->position + 2 * (j * 3 + pair[s]) * size;
            x[0][s] = at->rotated + 2 * (i * 6 + 3 + pair[s]) * size;
            x[1][s] = at->rotated + 2 * (j * 6 + 3 + pair[s]) * size;
        }
        overlap(size, r[0][0], r[1][1], 1.0, forward);
        overlap(size, x[0][0], x[1][1], -1.0, forward);
        if (i == j) {
            backward[0] = forward[0];
            backward[1] = -forward[1];
        } else {
            overlap(size, r[0][1], r[1][0], 1.0, backward);
            overlap(size, x[0][1], x[1][0], -1.0, backward);
        }
        element[2 * c] = -(forward[1] - backward[1]);
        element[2 * c + 1] = forward[0] - backward[0];
        if (at->stacked > needed)
            for (Index w = 0; w < size; w++) {
                const double *u = at->states + 2 * (w * size + i);
                const double *y = at->half_rotated + 2 * ((w * at->stacked + needed + c) * size + j);
                element[2 * c] += u[0] * y[0] + u[1] * y[1];
                element[2 * c + 1] += u[0] * y[1] - u[1] * y[0];
            }
    }
}

/* ---- Tr F_c/|N| and Re Tr[theta F_c]/|N| ---- */
static void
curvature_traces(Index count, Bands bands, const int64_t *label, double *berry, double *conserved)
{
    const Index size = bands.size, observables = bands.observables;
    for (Index k = 0; k < count; k++) {
        const int64_t *l = label + k * size;
        Bands at = bands;
        at.position += 6 * k * size * size;
        at.rotated += 12 * k * size * size;
        at.observable += 2 * k * size * observables * size;
        at.half_rotated += 2 * k * size * bands.stacked * size;
        at.states += 2 * k * size * size;
        for (Index first = 0, last; first < size; first = last) {
            for (last = first + 1; last < size && l[last] == l[first];)
                last++;
            double *b = berry + 3 * (k * size + first);
            double *o = conserved + 3 * observables * (k * size + first);
            memset(b, 0, sizeof(double) * 3);
            memset(o, 0, sizeof(double) * 3 * observables);
            for (Index i = first; i < last; i++)
                for (Index j = i; j < last; j++) {
                    double element[6];
                    curvature_element(&at, i, j, element);
                    /* F and theta are Hermitian: the pair (j, i) adds the complex conjugate. */
                    const double times = i == j ? 1.0 : 2.0;
                    for (Index c = 0; c < 3 && i == j; c++)
                        b[c] += element[2 * c];
                    for (Index s = 0; s < observables; s++) {
                        const double *theta = at.observable + 2 * ((i * observables + s) * size + j);
                        for (Index c = 0; c < 3; c++)
                            o[3 * s + c] += times * (theta[0] * element[2 * c] + theta[1] * element[2 * c + 1]);
                    }
                }
            const double members = (double)(last - first);
            for (Index c = 0; c < 3; c++)
                b[c] /= members;
            for (Index c = 0; c < 3 * observables; c++)
                o[c] /= members;
            for (Index n = first + 1; n < last; n++) {
                memcpy(b + 3 * (n - first), b, sizeof(double) * 3);
                memcpy(o + 3 * observables * (n - first), o, sizeof(double) * 3 * observables);
            }
        }
    }
}

/* ---- Re Tr[d_a v_b]/|N| and 1/2 Re Tr[{theta, v_a} v_b]/|N|, d_a = 1/2 (Theta r_a + h.c.) ---- */
typedef struct {
    Index size, observables;
    const double *position, *observable, *velocity;
} Flow;

/* 1/2 sum_l (v_a,il v_b,lj + v_b,il v_a,lj) inside a multiplet, as conj of the rows of j */
static void
velocity_pair(const Flow *at, Index first, Index last, Index i, Index j, Index a, Index b, double *x)
{
    const double *ai = at->velocity + 2 * (i * 3 + a) * at->size, *bi = at->velocity + 2 * (i * 3 + b) * at->size;
    const double *aj = at->velocity + 2 * (j * 3 + a) * at->size, *bj = at->velocity + 2 * (j * 3 + b) * at->size;
    x[0] = x[1] = 0.0;
    overlap(last - first, ai + 2 * first, bj + 2 * first, 0.5, x);
    overlap(last - first, bi + 2 * first, aj + 2 * first, 0.5, x);
}

static void
flows(Index count, Flow bands, const int64_t *label, double *dipole, double *drude)
{
    const Index size = bands.size, observables = bands.observables, components = 9 * observables;
    memset(dipole, 0, sizeof(double) * count * size * components);
    memset(drude, 0, sizeof(double) * count * size * components);
    for (Index k = 0; k < count; k++) {
        const int64_t *l = label + k * size;
        Flow at = bands;
        at.position += 6 * k * size * size;
        at.velocity += 6 * k * size * size;
        at.observable += 2 * k * size * observables * size;
        for (Index first = 0, last; first < size; first = last) {
            for (last = first + 1; last < size && l[last] == l[first];)
                last++;
            double *surface = dipole + (k * size + first) * components;
            double *weight = drude + (k * size + first) * components;
            for (Index i = first; i < last; i++)
                for (Index j = i; j < last; j++) {
                    /* All blocks are Hermitian: the pair (j, i) adds the complex conjugate. */
                    const double times = i == j ? 1.0 : 2.0;
                    double pairs[3][3][2];
                    for (Index a = 0; a < 3; a++)
                        for (Index b = a; b < 3; b++) {
                            velocity_pair(&at, first, last, i, j, a, b, pairs[a][b]);
                            memcpy(pairs[b][a], pairs[a][b], sizeof(pairs[a][b]));
                        }
                    for (Index s = 0; s < observables; s++) {
                        const double *ti = at.observable + 2 * (i * observables + s) * size;
                        const double *tj = at.observable + 2 * (j * observables + s) * size;
                        for (Index a = 0; a < 3; a++) {
                            const double *ri = at.position + 2 * (i * 3 + a) * size;
                            const double *rj = at.position + 2 * (j * 3 + a) * size;
                            double d[2] = {0, 0};
                            overlap(size, ti, rj, i == j ? 1.0 : 0.5, d);
                            if (i == j)
                                d[1] = 0.0;
                            else
                                overlap(size, ri, tj, 0.5, d);
                            for (Index b = 0; b < 3; b++) {
                                const double *v = at.velocity + 2 * ((i * 3 + b) * size + j), *p = pairs[a][b];
                                surface[(s * 3 + a) * 3 + b] += times * (d[0] * v[0] + d[1] * v[1]);
                                weight[(s * 3 + a) * 3 + b] += times * (ti[2 * j] * p[0] + ti[2 * j + 1] * p[1]);
                            }
                        }
                    }
                }
            const double members = (double)(last - first);
            for (Index c = 0; c < components; c++) {
                surface[c] /= members;
                weight[c] /= members;
            }
            for (Index n = first + 1; n < last; n++) {
                memcpy(surface + components * (n - first), surface, sizeof(double) * components);
                memcpy(weight + components * (n - first), weight, sizeof(double) * components);
            }
        }
    }
}

/* ---- add weights[n, j] * values[n] to the slots first[n] + j ---- */
VECTORIZED static void
spread(Index levels, Index components, Index slots, Index width, const int64_t *first, const double *weights,
       const double *values, double *sums)
{
    for (Index n = 0; n < levels; n++) {
        const double *row = values + n * components;
        for (Index j = 0; j < width && first[n] + j < slots; j++) {
            const double weight = weights[n * width + j];
            double *target = sums + (first[n] + j) * components;
#pragma omp simd
            for (Index c = 0; c < components; c++)
                target[c] += weight * row[c];
        }
    }
}

/* ---- add each row of values to the slot of its level ---- */
static void
scatter(Index levels, Index components, Index slots, const int64_t *slot, const double *values, double *sums)
{
    for (Index n = 0; n < levels; n++) {
        if (slot[n] >= slots)
            continue;
        double *target = sums + slot[n] * components;
        const double *row = values + n * components;
        for (Index c = 0; c < components; c++)
            target[c] += row[c];
    }
}

/* ---- Python side: shapes are checked in contractions.py, sizes once more here ---- */

#define MOST_BUFFERS 6

typedef struct {
    Py_buffer view[MOST_BUFFERS];
    int held;
} Buffers;

static void
release(Buffers *buffers)
{
    while (buffers->held > 0)
        PyBuffer_Release(&buffers->view[--buffers->held]);
}

/* The memory of an array of the given number of 8-byte items, NULL with an error set if it is not that. */
static void *
memory(Buffers *buffers, PyObject *array, Index items, int writable)
{
    Py_buffer *view = &buffers->view[buffers->held];
    if (PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return NULL;
    buffers->held++;
    if (view->len != items * 8) {
        PyErr_Format(PyExc_ValueError, "expected %zd bytes, found %zd", items * 8, view->len);
        return NULL;
    }
    return view->buf;
}

static PyObject *
py_interband(PyObject *module, PyObject *args)
{
    Index count, size;
    PyObject *energy, *label, *rotated, *velocity, *position;
    Buffers held = {.held = 0};
    if (!PyArg_ParseTuple(args, "nnOOOOO", &count, &size, &energy, &label, &rotated, &velocity, &position))
        return NULL;
    double *scratch = PyMem_Malloc(sizeof(double) * 2 * size);
    const double *e = memory(&held, energy, count * size, 0);
    const int64_t *l = e ? memory(&held, label, count * size, 0) : NULL;
    const double *x = l ? memory(&held, rotated, 12 * count * size * size, 0) : NULL;
    double *v = x ? memory(&held, velocity, 6 * count * size * size, 1) : NULL;
    double *r = v ? memory(&held, position, 6 * count * size * size, 1) : NULL;
    if (r && scratch) {
        Py_BEGIN_ALLOW_THREADS
        interband(count, size, e, l, x, v, r, scratch, scratch + size);
        Py_END_ALLOW_THREADS
    } else if (!PyErr_Occurred())
        PyErr_NoMemory();
    PyMem_Free(scratch);
    release(&held);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
py_conventional(PyObject *module, PyObject *args)
{
    Index count, size, observables;
    double broadening;
    PyObject *energy, *label, *product, *velocity, *values;
    Buffers held = {.held = 0};
    if (!PyArg_ParseTuple(args, "nnndOOOOO", &count, &size, &observables, &broadening, &energy, &label,
                          &product, &velocity, &values))
        return NULL;
    double *scratch = PyMem_Malloc(sizeof(double) * size * (9 + 9 * observables));
    const double *e = memory(&held, energy, count * size, 0);
    const int64_t *l = e ? memory(&held, label, count * size, 0) : NULL;
    const double *p = l ? memory(&held, product, 6 * count * size * observables * size, 0) : NULL;
    const double *v = p ? memory(&held, velocity, 6 * count * size * size, 0) : NULL;
    double *out = v ? memory(&held, values, 9 * count * size * observables, 1) : NULL;
    if (out && scratch) {
        Py_BEGIN_ALLOW_THREADS
        conventional(count, size, observables, broadening * broadening, e, l, p, v, out, scratch);
        share(count, size, 9 * observables, l, out);
        Py_END_ALLOW_THREADS
    } else if (!PyErr_Occurred())
        PyErr_NoMemory();
    PyMem_Free(scratch);
    release(&held);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
py_curvature_traces(PyObject *module, PyObject *args)
{
    Index count;
    Bands bands;
    PyObject *label, *position, *rotated, *observable, *half_rotated, *states, *berry, *conserved;
    Buffers held = {.held = 0}, outputs = {.held = 0};
    if (!PyArg_ParseTuple(args, "nnnnOOOOOOOO", &count, &bands.size, &bands.observables, &bands.stacked, &label,
                          &position, &rotated, &observable, &half_rotated, &states, &berry, &conserved))
        return NULL;
    const Index square = 2 * count * bands.size * bands.size;
    const int64_t *l = memory(&held, label, count * bands.size, 0);
    bands.position = l ? memory(&held, position, 3 * square, 0) : NULL;
    bands.rotated = bands.position ? memory(&held, rotated, 6 * square, 0) : NULL;
    bands.observable = bands.rotated ? memory(&held, observable, bands.observables * square, 0) : NULL;
    bands.half_rotated = bands.observable ? memory(&held, half_rotated, bands.stacked * square, 0) : NULL;
    bands.states = bands.half_rotated ? memory(&held, states, square, 0) : NULL;
    double *b = bands.states ? memory(&outputs, berry, 3 * count * bands.size, 1) : NULL;
    double *o = b ? memory(&outputs, conserved, 3 * count * bands.size * bands.observables, 1) : NULL;
    if (o) {
        Py_BEGIN_ALLOW_THREADS
        curvature_traces(count, bands, l, b, o);
        Py_END_ALLOW_THREADS
    }
    release(&held);
    release(&outputs);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
py_scatter(PyObject *module, PyObject *args)
{
    Index levels, components, slots;
    PyObject *slot, *values, *sums;
    Buffers held = {.held = 0};
    if (!PyArg_ParseTuple(args, "nnnOOO", &levels, &components, &slots, &slot, &values, &sums))
        return NULL;
    const int64_t *s = memory(&held, slot, levels, 0);
    const double *v = s ? memory(&held, values, levels * components, 0) : NULL;
    double *out = v ? memory(&held, sums, slots * components, 1) : NULL;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        scatter(levels, components, slots, s, v, out);
        Py_END_ALLOW_THREADS
    }
    release(&held);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
py_flows(PyObject *module, PyObject *args)
{
    Index count;
    Flow bands;
    PyObject *label, *position, *observable, *velocity, *dipole, *drude;
    Buffers held = {.held = 0};
    if (!PyArg_ParseTuple(args, "nnnOOOOOO", &count, &bands.size, &bands.observables, &label, &position,
                          &observable, &velocity, &dipole, &drude))
        return NULL;
    const Index square = 2 * count * bands.size * bands.size, levels = count * bands.size;
    const int64_t *l = memory(&held, label, levels, 0);
    bands.position = l ? memory(&held, position, 3 * square, 0) : NULL;
    bands.observable = bands.position ? memory(&held, observable, bands.observables * square, 0) : NULL;
    bands.velocity = bands.observable ? memory(&held, velocity, 3 * square, 0) : NULL;
    double *surface = bands.velocity ? memory(&held, dipole, 9 * levels * bands.observables, 1) : NULL;
    double *weight = surface ? memory(&held, drude, 9 * levels * bands.observables, 1) : NULL;
    if (weight) {
        Py_BEGIN_ALLOW_THREADS
        flows(count, bands, l, surface, weight);
        Py_END_ALLOW_THREADS
    }
    release(&held);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
py_spread(PyObject *module, PyObject *args)
{
    Index levels, components, slots, width;
    PyObject *first, *weights, *values, *sums;
    Buffers held = {.held = 0};
    if (!PyArg_ParseTuple(args, "nnnnOOOO", &levels, &components, &slots, &width, &first, &weights, &values,
                          &sums))
        return NULL;
    const int64_t *f = memory(&held, first, levels, 0);
    const double *w = f ? memory(&held, weights, levels * width, 0) : NULL;
    const double *v = w ? memory(&held, values, levels * components, 0) : NULL;
    double *out = v ? memory(&held, sums, slots * components, 1) : NULL;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        spread(levels, components, slots, width, f, w, v, out);
        Py_END_ALLOW_THREADS
    }
    release(&held);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"interband", py_interband, METH_VARARGS, "velocity and interband position"},
    {"conventional", py_conventional, METH_VARARGS, "conventional curvature, shared by multiplets"},
    {"curvature_traces", py_curvature_traces, METH_VARARGS, "Berry and conserved curvature"},
    {"flows", py_flows, METH_VARARGS, "dipole and Drude flow"},
    {"spread", py_spread, METH_VARARGS, "weighted sums of values over a window of slots"},
    {"scatter", py_scatter, METH_VARARGS, "sums of values by slot"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_contractions",
    .m_doc = "Compiled contractions; see contractions.py.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__contractions(void)
{
    return PyModule_Create(&definition);
}
