# Mean squares and standard errors that tests/analysis/methods/test_crossed_readers.py holds as R_MEAN_SQUARES, R_ARMS and LME4.
# Run with `Rscript reader_anova.R` in this folder; written for R 4.2 with lme4 1.1. Reads reader_ratings.csv.
suppressMessages(library(lme4))
options(digits = 12, width = 120)

digits_of <- function(x) as.integer(strsplit(x, "")[[1]])
area <- function(pos, neg) mean(outer(pos, neg, ">") + 0.5 * outer(pos, neg, "=="))
pseudovalues <- function(neg, pos) {
  n <- length(neg) + length(pos)
  all <- area(pos, neg)
  without <- c(
    sapply(seq_along(neg), function(i) area(pos, neg[-i])),
    sapply(seq_along(pos), function(i) area(pos[-i], neg))
  )
  n * all - (n - 1) * without
}
mean_squares <- function(fit) {
  unlist(lapply(summary(fit), function(stratum) {
    table <- stratum[[1]]
    setNames(table[["Mean Sq"]], trimws(rownames(table)))
  }))
}

ratings <- read.csv("reader_ratings.csv", colClasses = "character")
for (study in unique(ratings$study)) {
  rows <- ratings[ratings$study == study, ]
  long <- do.call(rbind, lapply(seq_len(nrow(rows)), function(i) {
    y <- pseudovalues(digits_of(rows$without_disease[i]), digits_of(rows$with_disease[i]))
    data.frame(y = y, treatment = rows$treatment[i], reader = rows$reader[i], case = seq_along(y))
  }))
  long[2:4] <- lapply(long[2:4], factor)
  cat("\n==", study, "\nTreatment x reader x case\n")
  print(mean_squares(aov(y ~ treatment + Error(reader * case + treatment:reader + treatment:case), data = long)))
  for (arm in levels(long$treatment)) {
    one <- long[long$treatment == arm, ]
    cat("Treatment", arm, "\n")
    print(mean_squares(aov(y ~ 1 + Error(reader * case), data = one)))
    cat("lmer standard error", sqrt(vcov(lmer(y ~ 1 + (1 | reader) + (1 | case), data = one))[1, 1]), "\n")
  }
  first <- droplevels(long[long$treatment == "1" & long$reader %in% c("1", "2"), ])
  second <- droplevels(long[long$treatment == "2" & !long$reader %in% c("1", "2"), ])
  cat("Readers 1 and 2 with treatment 1, the others with treatment 2\n")
  print(mean_squares(aov(y ~ 1 + Error(reader * case), data = first)))
  print(mean_squares(aov(y ~ 1 + Error(reader * case), data = second)))
  cat("variance over cases of the difference of reader means\n")
  print(var(c(tapply(first$y, first$case, mean) - tapply(second$y, second$case, mean))))
  wide <- long[long$treatment == "1", ]
  wide$d <- wide$y - long$y[long$treatment == "2"]
  fit <- lmer(d ~ 1 + (1 | reader) + (1 | case), data = wide)
  cat("lmer on the differences: standard error", sqrt(vcov(fit)[1, 1]), "\n")
  print(as.data.frame(VarCorr(fit))[c("grp", "vcov")])
}
