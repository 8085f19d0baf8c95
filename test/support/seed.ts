import fc from "fast-check";

/** Properties draw the same values in every run; another seed looks elsewhere: `TENSORFERRY_SEED=7 npm run test:unit`. */
fc.configureGlobal({ seed: Number(process.env["TENSORFERRY_SEED"] ?? 20_261_121) });
