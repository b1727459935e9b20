/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj.h: the whole public interface of libspectraj, one header per subject. */
#ifndef SPECTRAJ_H
#define SPECTRAJ_H

#include <spectraj/analysis.h>
#include <spectraj/config.h>
#include <spectraj/cost.h>
#include <spectraj/density.h>
#include <spectraj/op.h>
#include <spectraj/option.h>
#include <spectraj/plan.h>
#include <spectraj/problem.h>
#include <spectraj/progress.h>
#include <spectraj/ranks.h>
#include <spectraj/report.h>
#include <spectraj/run.h>
#include <spectraj/status.h>
#include <spectraj/storage.h>
#include <spectraj/study.h>
#include <spectraj/svd.h>
#include <spectraj/sweep.h>
#include <spectraj/trace.h>
#include <spectraj/training.h>
#include <spectraj/version.h>

#endif
