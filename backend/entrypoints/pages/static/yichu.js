"use strict";
// Enhancement only: every page works without this file.
(function () {
  document.cookie = "js=1; path=/; max-age=31536000; samesite=lax";

  // Home: the estimate follows the ticks.
  var form = document.querySelector("form[data-estimate]");
  if (form) {
    var total = document.getElementById("total");
    var button = document.getElementById("go");
    var label = button ? button.getAttribute("data-label") : "";
    var latest = 0;
    form.addEventListener("change", function () {
      var ticked = form.querySelectorAll("input[name=bill]:checked");
      var turn = ++latest;
      button.disabled = ticked.length === 0;
      button.textContent = ticked.length ? label.replace("{n}", ticked.length) : button.getAttribute("data-none");
      var query = Array.prototype.map.call(ticked, function (box) {
        return "bill=" + encodeURIComponent(box.value);
      }).join("&");
      fetch(form.getAttribute("data-estimate") + "?" + query, { credentials: "same-origin" })
        .then(function (answer) { if (!answer.ok) { throw new Error("estimate"); } return answer.json(); })
        .then(function (found) {
          if (turn !== latest) { return; }
          total.textContent = found.total;
          Object.keys(found.bills).forEach(function (id) {
            var place = document.getElementById("estimate-" + id);
            if (place) { place.textContent = found.bills[id]; }
          });
        })
        .catch(function () { /* the check page shows the amount */ });
    });
  }

  // A second click sends nothing; the server would answer it with the same receipt anyway.
  document.addEventListener("submit", function (event) {
    if (event.target.dataset.once !== undefined) {
      if (event.target.dataset.sent) { event.preventDefault(); }
      event.target.dataset.sent = "1";
    }
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-once]").forEach(function (f) { delete f.dataset.sent; });
  });

  // Status pages move by themselves.
  function poll() {
    var main = document.querySelector("main[data-moving]");
    if (!main || document.hidden) { if (main) { setTimeout(poll, 2000); } return; }
    fetch(location.href, { credentials: "same-origin" })
      .then(function (answer) { if (!answer.ok || answer.redirected) { throw new Error("poll"); } return answer.text(); })
      .then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
        if (fresh && fresh.innerHTML !== main.innerHTML) {
          var before = main.querySelector(".seal");
          var seal = fresh.querySelector(".seal");
          if (seal && (!before || before.textContent !== seal.textContent)) { seal.classList.add("fresh"); }
          var said = main.querySelector("[role=status]");
          main.replaceWith(fresh);
          var says = fresh.querySelector("[role=status]");
          if (says && said && says.textContent !== said.textContent) {
            var words = says.textContent; says.textContent = "";
            setTimeout(function () { says.textContent = words; }, 50);
          }
        }
        setTimeout(poll, 1500);
      })
      .catch(function () { setTimeout(poll, 4000); });
  }
  setTimeout(poll, 1200);

  // Reading aloud, where the device can.
  var speak = document.getElementById("speak");
  if (speak && window.speechSynthesis) {
    speak.hidden = false;
    speak.addEventListener("click", function () {
      var words = new SpeechSynthesisUtterance(speak.getAttribute("data-text"));
      words.lang = "zh-CN"; words.rate = 0.85;
      window.speechSynthesis.cancel(); window.speechSynthesis.speak(words);
    });
  }
})();
