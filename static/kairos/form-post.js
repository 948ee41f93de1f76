// OAuth 2.0 Form Post Response Mode: the answer leaves by itself.
// Plain ECMAScript 5: this page has to lead on in any browser that runs scripts at all.
(function () {
  "use strict";
  var answer = document.querySelector("form[data-auto-submit]");
  if (answer) HTMLFormElement.prototype.submit.call(answer);
})();
